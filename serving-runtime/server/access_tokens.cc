#include "serving-runtime/server/access_tokens.h"

#include <absl/strings/match.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

namespace tidegate::serving {
namespace {

constexpr std::string_view kScheme = "bearer ";

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

void AccessTokens::replace(std::vector<std::string> tokens) {
  tokens_.store(std::make_shared<const Tokens>(std::move(tokens)), std::memory_order_release);
}

absl::Status AccessTokens::check(std::string_view authorization) const {
  const std::shared_ptr<const Tokens> tokens = tokens_.load(std::memory_order_acquire);
  if (tokens->empty()) return absl::OkStatus();
  const bool bearer =
      absl::StartsWithIgnoreCase({authorization.data(), authorization.size()}, {kScheme.data(), kScheme.size()});
  if (!bearer) return absl::UnauthenticatedError("This server wants a token: Authorization: Bearer <token>");
  const std::string_view token = authorization.substr(kScheme.size());
  const auto matching =
      std::count_if(tokens->begin(), tokens->end(), [token](const auto& known) { return same(known, token); });
  if (matching > 0) return absl::OkStatus();
  return absl::UnauthenticatedError("The token is none of those that this server takes");
}

}  // namespace tidegate::serving
