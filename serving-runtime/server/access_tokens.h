#pragma once
// Who may ask: those who send one of the tokens. Any thread.
#include <absl/status/status.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::serving {

class AccessTokens {
 public:
  // Without tokens everybody may ask.
  void replace(std::vector<std::string> tokens);
  // Whether everybody may ask. For where finding the header costs something.
  bool open() const { return tokens_.load(std::memory_order_acquire)->empty(); }
  // `authorization`: the header's value, empty when there is none. UNAUTHENTICATED says what is expected. Takes as long
  // for a wrong token as for a right one.
  absl::Status check(std::string_view authorization) const;

 private:
  using Tokens = std::vector<std::string>;
  std::atomic<std::shared_ptr<const Tokens>> tokens_{std::make_shared<const Tokens>()};
};

}  // namespace tidegate::serving
