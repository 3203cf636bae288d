#include "sim/outside.h"

#include <set>

#include "base/strings.h"

namespace tidegate::sim {
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

std::string key_of(const std::string& model, const std::string& version) {
  return base::cat(model, "/", version, "/saved_model.pb");
}

}  // namespace

void Bucket::put_version(const std::string& model, const std::string& version, const std::string& etag) {
  objects_[key_of(model, version)] = etag;
}

void Bucket::remove_version(const std::string& model, const std::string& version) {
  objects_.erase(key_of(model, version));
}

bool Bucket::has(const std::string& model, const std::string& version) const {
  return objects_.contains(key_of(model, version));
}

net::HttpResponse Bucket::list(const std::string& url) const {
  net::HttpResponse response;
  if (fault) {
    response.status = fault->first;
    response.body = base::cat("<Error><Code>", fault->second, "</Code><Message>not now</Message></Error>");
    return response;
  }
  const std::string prefix = query_value(url, "prefix");
  const std::string delimiter = query_value(url, "delimiter");
  std::set<std::string> folders;
  std::string contents;
  for (const auto& [key, etag] : objects_) {
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
  response.status = 200;
  response.body = base::cat("<ListBucketResult><IsTruncated>false</IsTruncated>", contents, "</ListBucketResult>");
  return response;
}

base::Task<absl::StatusOr<net::HttpResponse>> OutsideLine::request(net::HttpRequest request, base::Scope& scope) {
  if (dead_ || scope.cancelled()) co_return absl::CancelledError("scope ended");
  base::Promise<Answer> done;
  auto timer = clock_.after(request.timeout, [done] { done.set(absl::DeadlineExceededError("timed out")); });
  auto registration = scope.on_cancel([done] { done.set(absl::CancelledError("scope ended")); });
  // Not `this`: the process may end while a request is under way.
  auto& context = context_;
  if (!cut) {
    context.schedule.after(context.between(absl::Milliseconds(1), absl::Milliseconds(10)),
                           [&context, server = server_, request = std::move(request), done] {
                             OutsideAnswer answer = server(request);
                             const absl::Duration back = context.between(absl::Milliseconds(1), absl::Milliseconds(10));
                             context.schedule.after(answer.after + back,
                                                    [done, response = answer.response] { done.set(response); });
                           });
  }
  Answer answer = co_await done.wait();
  co_return answer;
}

}  // namespace tidegate::sim
