#include "storage/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "base/digest.h"
#include "base/strings.h"

namespace tidegate::storage {
namespace {

using base::cat;

std::string hmac(std::string_view key, std::string_view data) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(data.data()),
       data.size(), bytes, &size);
  return std::string(reinterpret_cast<char*>(bytes), size);
}

std::string canonical_query(const SignableRequest& request) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : request.query)
    encoded.emplace_back(uri_encode(name, false), uri_encode(value, false));
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) text += cat(text.empty() ? "" : "&", name, "=", value);
  return text;
}

// Leading and trailing blanks go, runs of them become one.
std::string canonical_value(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (text.empty() || text.back() == ' ')) continue;
    text += blank ? ' ' : c;
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

std::string uri_encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const unsigned char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      encoded += static_cast<char>(c);
    } else {
      encoded += {'%', kDigits[c >> 4], kDigits[c & 15]};
    }
  }
  return encoded;
}

SignedRequest without_signature(const SignableRequest& request) {
  const std::string query = canonical_query(request);
  return {.target = cat(uri_encode(request.path, true), query.empty() ? "" : "?", query), .headers = request.headers};
}

SignedRequest sign(const SignableRequest& request, const SigningKey& key, absl::Time now) {
  SignedRequest result = without_signature(request);
  const std::string time = absl::FormatTime("%Y%m%dT%H%M%SZ", now, absl::UTCTimeZone());
  const std::string day = time.substr(0, 8);
  result.headers["x-amz-date"] = time;
  result.headers["x-amz-content-sha256"] = request.payload_sha256;
  if (!key.session_token.empty()) result.headers["x-amz-security-token"] = key.session_token;

  std::map<std::string, std::string> to_sign = result.headers;
  to_sign["host"] = request.host;
  std::string lines, names;
  for (const auto& [name, value] : to_sign) {
    lines += cat(name, ":", canonical_value(value), "\n");
    names += cat(names.empty() ? "" : ";", name);
  }
  const std::string canonical = cat(request.method, "\n", uri_encode(request.path, true), "\n",
                                    canonical_query(request), "\n", lines, "\n", names, "\n", request.payload_sha256);
  const std::string scope = cat(day, "/", key.region, "/s3/aws4_request");
  const std::string to_hash = cat("AWS4-HMAC-SHA256\n", time, "\n", scope, "\n", base::sha256_hex(canonical));
  const std::string day_key = hmac(cat("AWS4", key.secret_access_key), day);
  const std::string signing_key = hmac(hmac(hmac(day_key, key.region), "s3"), "aws4_request");
  result.headers["authorization"] =
      cat("AWS4-HMAC-SHA256 Credential=", key.access_key_id, "/", scope, ",SignedHeaders=", names,
          ",Signature=", base::to_hex(hmac(signing_key, to_hash)));
  return result;
}

}  // namespace tidegate::storage
