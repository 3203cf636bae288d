#include "storage/s3_listing.h"

#include <set>

#include "base/strings.h"

namespace tidegate::storage {
namespace {

std::string query_value(const std::string& url, const std::string& name) {
  const size_t at = url.find(name + "=");
  if (at == std::string::npos) return "";
  std::string value = url.substr(at + name.size() + 1);
  value = value.substr(0, value.find('&'));
  std::string decoded;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size()) {
      decoded += static_cast<char>(std::stoi(value.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += value[i];
    }
  }
  return decoded;
}

}  // namespace

net::HttpResponse s3_listing(const std::map<std::string, std::string>& objects, const std::string& url) {
  const std::string prefix = query_value(url, "prefix");
  const std::string delimiter = query_value(url, "delimiter");
  std::set<std::string> folders;
  std::string contents;
  for (const auto& [key, etag] : objects) {
    if (!key.starts_with(prefix)) continue;
    const size_t slash = delimiter.empty() ? std::string::npos : key.find(delimiter, prefix.size());
    if (slash != std::string::npos) {
      folders.insert(key.substr(0, slash + 1));
      continue;
    }
    contents += base::cat("<Contents><Key>", key, "</Key><Size>10</Size><ETag>&quot;", etag,
                          "&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>");
  }
  for (const std::string& folder : folders) {
    contents += base::cat("<CommonPrefixes><Prefix>", folder, "</Prefix></CommonPrefixes>");
  }
  net::HttpResponse response;
  response.status = 200;
  response.body = base::cat("<ListBucketResult><IsTruncated>false</IsTruncated>", contents, "</ListBucketResult>");
  return response;
}

net::HttpResponse s3_refusal(int status, std::string_view code) {
  net::HttpResponse response;
  response.status = status;
  response.body = base::cat("<Error><Code>", code, "</Code><Message>the store says no</Message></Error>");
  return response;
}

}  // namespace tidegate::storage
