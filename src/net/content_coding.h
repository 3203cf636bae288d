#pragma once
// Content codings of HTTP (RFC 9110, 8.4): gzip and deflate, in memory. Used by servers for what clients send
// compressed and want compressed. Pure.
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tidegate::net {

enum class ContentCoding { kIdentity, kGzip, kDeflate };

// As headers name it: "gzip".
std::string_view name_of(ContentCoding coding);

// The coding that a Content-Encoding names; an empty one is identity. UNIMPLEMENTED for others, and for several codings
// on top of one another.
absl::StatusOr<ContentCoding> parse_content_encoding(std::string_view header);

// The best coding that an Accept-Encoding allows: gzip before deflate. Without the header, or when it allows neither,
// identity.
ContentCoding accepted_coding(std::string_view accept_encoding);

// `coding` is not identity in both.

// RESOURCE_EXHAUSTED as soon as the result has more than `max_bytes`, of which no more are ever held; INVALID_ARGUMENT
// when `body` is no such stream, is cut short, or goes on behind its end. Gzip may have several members, deflate is
// zlib's format (RFC 1950), as RFC 9110 has it.
absl::StatusOr<std::string> decompress(ContentCoding coding, std::string_view body, uint64_t max_bytes);

// The fastest of zlib's levels.
std::string compress(ContentCoding coding, std::string_view body);

}  // namespace tidegate::net
