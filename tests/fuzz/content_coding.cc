// Compressed bodies and the headers that speak of them. The first byte says which coding the rest is in.
#include "net/content_coding.h"
#include "fuzz/fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidegate;
  constexpr uint64_t kMostBytes = 64 << 10;
  if (size == 0) return 0;
  auto coding = data[0] % 2 == 0 ? net::ContentCoding::kGzip : net::ContentCoding::kDeflate;
  std::string_view rest = fuzz::as_text(data + 1, size - 1);
  net::accepted_coding(rest);
  auto named = net::parse_content_encoding(rest);
  if (!named.ok()) fuzz::require_client_error(named.status());
  auto plain = net::decompress(coding, rest, kMostBytes);
  if (!plain.ok()) {
    fuzz::require(absl::IsInvalidArgument(plain.status()) || absl::IsResourceExhausted(plain.status()),
                  "a broken stream is the client's fault", plain.status().ToString());
    return 0;
  }
  fuzz::require(plain->size() <= kMostBytes, "no more is decompressed than is allowed");
  auto again = net::decompress(coding, net::compress(coding, *plain), kMostBytes);
  fuzz::require(again.ok() && *again == *plain, "what is compressed decompresses to the same");
  return 0;
}
