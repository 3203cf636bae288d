#include "storage/s3_protocol.h"

#include <absl/strings/numbers.h>
#include <absl/time/time.h>

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "base/strings.h"
#include "storage/xml.h"

namespace tidegate::storage {
namespace {

using base::cat;

struct StoreError {
  std::string code;
  std::string message;
};

// The answer to HEAD, and that of a proxy in between, has no such body.
StoreError parse_error(const net::HttpResponse& answer) {
  const absl::StatusOr<XmlElement> root = parse_xml(answer.body);
  if (!root.ok() || root->name != "Error") return {};
  return {std::string(root->child_text("Code")), std::string(root->child_text("Message"))};
}

absl::StatusCode code_of(int status, std::string_view code) {
  if (code == "ExpiredToken" || code == "InvalidToken" || code == "TokenRefreshRequired") {
    return absl::StatusCode::kPermissionDenied;
  }
  if (code == "RequestTimeout") return absl::StatusCode::kUnavailable;
  switch (status) {
    case 401:
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 412:
      return absl::StatusCode::kFailedPrecondition;
    case 416:
      return absl::StatusCode::kOutOfRange;
    case 429:
      return absl::StatusCode::kUnavailable;
    default:
      return status >= 500 ? absl::StatusCode::kUnavailable : absl::StatusCode::kInvalidArgument;
  }
}

std::string_view words_of(int status) {
  switch (status) {
    case 403:
      return "access denied";
    case 404:
      return "no such object or bucket";
    case 412:
      return "the object has changed";
    default:
      return "";
  }
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

// The form encoding of encoding-type=url: a plus is a space.
absl::StatusOr<std::string> decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
    const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
    if (!high || !low) return absl::InternalError(cat("the store listed a malformed key '", text, "'"));
    decoded += static_cast<char>(*high * 16 + *low);
    i += 2;
  }
  return decoded;
}

std::string without_quotes(std::string_view etag) {
  if (etag.size() >= 2 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  return std::string(etag);
}

// Multipart uploads have "<md5 of md5s>-<parts>"; with a KMS or customer key the ETag is random.
bool is_md5(std::string_view etag, const net::HttpResponse& answer) {
  return etag.size() == 32 && std::all_of(etag.begin(), etag.end(), [](char c) { return hex_digit(c).has_value(); }) &&
         !answer.header("x-amz-server-side-encryption").starts_with("aws:") &&
         answer.header("x-amz-server-side-encryption-customer-algorithm").empty();
}

absl::Time parse_time(const char* format, std::string_view text) {
  absl::Time time;
  std::string error;
  return absl::ParseTime(format, base::absl_view(text), &time, &error) ? time : absl::InfinitePast();
}

absl::StatusOr<ObjectInfo> parse_object(const XmlElement& element) {
  ObjectInfo object;
  TG_ASSIGN_OR_RETURN(object.key, decode(element.child_text("Key")));
  if (object.key.empty() || !absl::SimpleAtoi(base::absl_view(element.child_text("Size")), &object.size)) {
    return absl::InternalError(cat("the store listed an object without a key or a size: '", object.key, "'"));
  }
  object.etag = without_quotes(element.child_text("ETag"));
  object.modified = parse_time(absl::RFC3339_full, element.child_text("LastModified"));
  return object;
}

}  // namespace

bool is_transient(const net::HttpResponse& answer) {
  return code_of(answer.status, answer.status == 400 ? parse_error(answer).code : "") == absl::StatusCode::kUnavailable;
}

absl::Status error_of_answer(const net::HttpResponse& answer, std::string_view object) {
  StoreError error = parse_error(answer);
  if (error.code.empty()) error.code = cat("HTTP ", answer.status);
  if (error.message.empty()) error.message = words_of(answer.status);
  std::string text = cat(object, ": ", error.code, error.message.empty() ? "" : ": ", error.message);
  const std::string_view region = answer.header("x-amz-bucket-region");
  const bool wrong_region = answer.status / 100 == 3 || error.code == "AuthorizationHeaderMalformed";
  if (wrong_region && !region.empty()) text += cat(" (the bucket is in region ", region, ")");
  return absl::Status(code_of(answer.status, error.code), text);
}

absl::StatusOr<ListPage> parse_list_answer(std::string_view body) {
  const absl::StatusOr<XmlElement> root = parse_xml(body);
  if (!root.ok()) return absl::InternalError(cat("the store's listing is ", root.status().message()));
  if (root->name != "ListBucketResult") {
    return absl::InternalError(cat("the store answered a listing with <", root->name, ">: is it S3?"));
  }
  ListPage page;
  for (const XmlElement& element : root->children) {
    if (element.name == "Contents") {
      TG_ASSIGN_OR_RETURN(ObjectInfo object, parse_object(element));
      page.objects.push_back(std::move(object));
    } else if (element.name == "CommonPrefixes") {
      TG_ASSIGN_OR_RETURN(std::string prefix, decode(element.child_text("Prefix")));
      page.prefixes.push_back(std::move(prefix));
    }
  }
  page.next_token = root->child_text("NextContinuationToken");
  const bool truncated = root->child_text("IsTruncated") == "true";
  if (truncated == page.next_token.empty()) {
    return absl::InternalError("the store's listing contradicts itself: IsTruncated and NextContinuationToken differ");
  }
  return page;
}

ObjectInfo object_of_headers(const net::HttpResponse& answer, std::string_view key) {
  ObjectInfo object{.key = std::string(key)};
  std::string_view size = answer.header("content-length");
  // "bytes 0-9/1234"
  const std::string_view range = answer.header("content-range");
  if (const size_t slash = range.find('/'); slash != std::string_view::npos) size = range.substr(slash + 1);
  if (!absl::SimpleAtoi(base::absl_view(size), &object.size)) object.size = 0;
  object.etag = without_quotes(answer.header("etag"));
  object.etag_is_md5 = is_md5(object.etag, answer);
  object.version_id = answer.header("x-amz-version-id");
  object.modified = parse_time("%a, %d %b %Y %H:%M:%S GMT", answer.header("last-modified"));
  return object;
}

}  // namespace tidegate::storage
