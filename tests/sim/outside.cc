#include "sim/outside.h"

#include "base/strings.h"
#include "storage/s3_listing.h"

namespace tidegate::sim {
namespace {

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
  return fault ? storage::s3_refusal(fault->first, fault->second) : storage::s3_listing(objects_, url);
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
