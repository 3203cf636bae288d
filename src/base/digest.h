#pragma once
// SHA-256 (OpenSSL) and hexadecimal text.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace tidegate::base {

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(std::string_view bytes);
// The 32 raw bytes.
std::string sha256(std::string_view data);
// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view data);

// For data that comes in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(const void* data, size_t bytes);
  // The 32 raw bytes; ends the computation.
  std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidegate::base
