#include "sim/api_line.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace tidegate::sim {
namespace {

constexpr char kExchangeHeader[] = "x-sim-exchange";
constexpr char kServingPods[] = "/api/v1/pods";
constexpr char kGatewayPods[] = "/api/v1/namespaces/tidegate-system/pods";
constexpr char kModels[] = "/apis/tidegate.dev/v1alpha1/modeldeployments";

std::string path_of(const std::string& url) {
  std::string path = url.substr(url.find('/', url.find("://") + 3));
  return path.substr(0, path.find('?'));
}

std::string after(const std::string& path, const std::string& marker) {
  const size_t at = path.find(marker);
  if (at == std::string::npos) return "";
  const size_t begin = at + marker.size();
  return path.substr(begin, path.find('/', begin) - begin);
}

// The ModelDeployment that a request for one of its objects is about.
std::string object_of(const net::HttpRequest& request) {
  const std::string path = path_of(request.url);
  const std::string ns = after(path, "/namespaces/");
  if (ns.empty() || ns == "tidegate-system") return "";
  std::string name = after(path, "/modeldeployments/");
  if (name.empty()) name = after(path, "/services/");
  if (const std::string map = after(path, "/configmaps/"); map.ends_with("-evidence")) {
    name = map.substr(0, map.size() - std::string_view("-evidence").size());
  }
  std::string revision = after(path, "/deployments/");
  if (request.method == "POST") {
    const kube::Json body = kube::Json::parse(request.body, nullptr, false);
    const std::string made = kube::string_at(body, {"metadata", "name"});
    (path.ends_with("/deployments") ? revision : name) = made;
    if (path.ends_with("/events")) return "";
  }
  if (!revision.empty()) name = revision.substr(0, revision.rfind('-'));
  return name.empty() ? "" : base::cat(ns, "/", name);
}

}  // namespace

std::shared_ptr<Exchange> Exchanges::find(const net::HttpRequest& request) const {
  uint64_t id = 0;
  for (const auto& [name, value] : request.headers) {
    if (name == kExchangeHeader && !absl::SimpleAtoi(value, &id)) return nullptr;
  }
  const auto found = at_server.find(id);
  return found == at_server.end() ? nullptr : found->second;
}

base::Task<absl::StatusOr<net::HttpResponse>> ApiLine::request(net::HttpRequest request, base::Scope& scope) {
  if (dead_ || scope.cancelled()) co_return absl::CancelledError("scope ended");
  const absl::Duration timeout = request.timeout;
  Pointer exchange = begin(std::move(request));
  auto timer = clock_.after(timeout, [exchange] { exchange->done.set(absl::DeadlineExceededError("timed out")); });
  auto registration = scope.on_cancel([exchange] { exchange->done.set(absl::CancelledError("scope ended")); });
  kube::FakeApiServer::Answer answer = co_await exchange->done.wait();
  if (exchange->line != nullptr) finish(exchange, answer.ok() && answer->status == 200);
  co_return answer;
}

ApiLine::Pointer ApiLine::begin(net::HttpRequest request) {
  auto exchange = std::make_shared<Exchange>();
  exchange->id = server_.exchanges.next_id++;
  exchange->line = this;
  exchange->replica = replica_;
  exchange->request = std::move(request);
  exchange->request.headers.emplace_back(kExchangeHeader, base::cat(exchange->id));
  exchange->object = object_of(exchange->request);
  exchange->is_watch = exchange->request.on_chunk != nullptr;
  exchange->is_write = exchange->request.method != "GET";
  exchange->sent = context_.now();
  const LeaseHolder holder = server_.lease_holder();
  exchange->holder_when_sent = holder.identity;
  exchange->epoch_when_sent = holder.epoch;
  exchange->round = round_of(*exchange);
  exchange->seen_before = view_of(path_of(exchange->request.url));
  open_.push_back(exchange);
  send(exchange);
  return exchange;
}

Round ApiLine::round_of(const Exchange& exchange) const {
  Round round{view_of(kServingPods), view_of(kGatewayPods), view_of(kModels)};
  const auto last = last_ended_.find(exchange.object);
  if (!exchange.object.empty() && last != last_ended_.end() && last->second.at == context_.now()) {
    round.pods = std::min(round.pods, last->second.round.pods);
    round.gateways = std::min(round.gateways, last->second.round.gateways);
    round.models = std::min(round.models, last->second.round.models);
  }
  const LeaseHolder holder = server_.lease_holder();
  if (holder.identity != replica_) return round;
  return {std::max(round.pods, holder.since), std::max(round.gateways, holder.since),
          std::max(round.models, holder.since)};
}

// Up to when the replica has seen what happened in a collection that it watches.
absl::Time ApiLine::view_of(const std::string& collection) const {
  for (const Pointer& exchange : open_) {
    if (exchange->is_watch && path_of(exchange->request.url) == collection) return seen_through(*exchange);
  }
  const auto ended = seen_until_.find(collection);
  return ended == seen_until_.end() ? Context::start() : ended->second;
}

absl::Time ApiLine::models_seen() const { return view_of(kModels); }

absl::Time ApiLine::seen_through(const Exchange& watch) const {
  if (!watch.under_way.empty()) return watch.under_way.front();
  if (watch.arrived == absl::InfiniteFuture()) return watch.seen_before;
  return std::min(context_.now(), watch.silent_since);
}

absl::Duration ApiLine::latency() {
  if (context_.chance(faults.delay_long)) return context_.between(absl::Seconds(2), absl::Seconds(40));
  return context_.between(absl::Microseconds(500), absl::Milliseconds(8));
}

void ApiLine::send(const Pointer& exchange) {
  if (faults.cut || context_.chance(exchange->is_watch ? 0 : faults.lose_request)) {
    return fail_after(exchange, context_.between(absl::Seconds(1), absl::Seconds(20)), "connection timed out");
  }
  if (exchange->is_write && !exchange->object.empty()) exchange->crash = std::exchange(crash_at_next_write, {});
  // Once on the wire it arrives, whatever becomes of this replica.
  auto& api = server_.api;
  auto& loop = server_.loop;
  auto& exchanges = server_.exchanges;
  context_.schedule.after(latency(), [&api, &loop, &exchanges, exchange] {
    ApiLine* line = exchange->line;
    if (line == nullptr) {
      if (exchange->is_write) loop.spawn(serve(api, exchanges, exchange));
    } else {
      line->arrive(exchange);
    }
  });
}

void ApiLine::arrive(const Pointer& exchange) {
  if (faults.cut) {
    return fail_after(exchange, context_.between(absl::Seconds(1), absl::Seconds(20)), "connection timed out");
  }
  if (exchange->is_watch) {
    exchange->last_arrival = exchange->arrived = context_.now();
    exchange->forward = [this, weak = std::weak_ptr<Exchange>(exchange)](std::string_view bytes) {
      if (const Pointer known = weak.lock(); known && known->line != nullptr) deliver_chunk(known, std::string(bytes));
      return true;
    };
  }
  server_.loop.spawn(serve(server_.api, server_.exchanges, exchange));
}

base::Task<void> ApiLine::serve(kube::FakeApiServer& api, Exchanges& exchanges, Pointer exchange) {
  exchanges.at_server[exchange->id] = exchange;
  net::HttpRequest request = exchange->request;
  if (exchange->is_watch) request.on_chunk = exchange->forward;
  kube::FakeApiServer::Answer answer = co_await api.request(std::move(request), exchange->server_scope);
  exchanges.at_server.erase(exchange->id);
  if (exchange->line != nullptr) exchange->line->answer(exchange, std::move(answer));
}

void ApiLine::answer(const Pointer& exchange, kube::FakeApiServer::Answer answer) {
  if (exchange->dead || exchange->closed) return;
  exchange->silent_since = context_.now();
  exchange->as_of = std::min(exchange->as_of, context_.now());
  if (faults.cut || context_.chance(exchange->is_watch ? 0 : faults.lose_answer)) {
    return fail_after(exchange, context_.between(absl::Seconds(1), absl::Seconds(20)), "connection reset by peer");
  }
  exchange->last_arrival = std::max(exchange->last_arrival, context_.now() + latency());
  const bool late_list = !exchange->is_write && path_of(exchange->request.url) == faults.frozen;
  if (late_list) exchange->last_arrival = std::max(exchange->last_arrival, faults.frozen_until);
  // By way of the loop, as what came before it: the end of a watch overtakes nothing.
  context_.schedule.at(exchange->last_arrival, [exchange, answer = std::move(answer)] {
    if (exchange->line != nullptr) exchange->line->loop_.post([exchange, answer] { exchange->done.set(answer); });
  });
}

void ApiLine::deliver_chunk(const Pointer& exchange, std::string bytes) {
  if (exchange->dead || exchange->closed) return;
  // At first the server sends what the replica has missed.
  const bool missed = exchange->arrived == context_.now();
  exchange->under_way.push_back(missed ? exchange->seen_before : context_.now());
  const absl::Duration way = context_.between(absl::Microseconds(500), absl::Milliseconds(8));
  const bool frozen = faults.frozen.empty() || path_of(exchange->request.url) == faults.frozen;
  exchange->last_arrival = std::max(exchange->last_arrival, context_.now() + way);
  if (frozen) exchange->last_arrival = std::max(exchange->last_arrival, faults.frozen_until);
  context_.schedule.at(exchange->last_arrival, [exchange, bytes = std::move(bytes)] {
    if (exchange->line == nullptr || exchange->dead) return;
    exchange->under_way.pop_front();
    exchange->line->loop_.post([exchange, bytes] {
      if (exchange->done.is_set()) return;
      if (!exchange->request.on_chunk(bytes)) exchange->done.set(absl::CancelledError("the receiver refused"));
    });
  });
}

void ApiLine::fail_after(const Pointer& exchange, absl::Duration delay, const std::string& why) {
  exchange->dead = true;
  exchange->silent_since = std::min(exchange->silent_since, context_.now());
  context_.schedule.after(delay, [exchange, why] { exchange->done.set(absl::UnavailableError(why)); });
}

// The replica has its answer, or has given up.
void ApiLine::finish(const Pointer& exchange, bool succeeded) {
  const std::string path = path_of(exchange->request.url);
  if (exchange->is_watch) {
    seen_until_[path] = seen_through(*exchange);
  } else if (succeeded && (path == kServingPods || path == kGatewayPods || path == kModels)) {
    // What was seen once is known, whatever another server says afterwards.
    seen_until_[path] = std::max(seen_until_[path], exchange->as_of);
  }
  if (!exchange->object.empty()) last_ended_[exchange->object] = {context_.now(), exchange->round};
  // The server learns of it when the connection is closed; a write goes on.
  if (exchange->is_watch) context_.schedule.after(latency(), [exchange] { exchange->server_scope.cancel(); });
  exchange->request.on_chunk = nullptr;
  exchange->line = nullptr;
  std::erase(open_, exchange);
}

void ApiLine::travel_to(absl::Time since, absl::Time until) {
  fail_watches(410, "Expired");  // first: these reach it
  faults.behind_since = since;
  faults.behind_until = faults.frozen_until = until;
  faults.frozen.clear();
}

void ApiLine::break_watches() {
  for (const Pointer& exchange : open_) {
    if (!exchange->is_watch || exchange->dead) continue;
    fail_after(exchange, context_.between(absl::ZeroDuration(), absl::Milliseconds(500)), "connection reset by peer");
  }
}

void ApiLine::fail_watches(int code, const std::string& reason) {
  const kube::Json status =
      kube::Json::parse(kube::FakeApiServer::status_answer(code, reason, "too old resource version").body);
  const std::string line = kube::Json({{"type", "ERROR"}, {"object", status}}).dump() + "\n";
  for (const Pointer& exchange : std::vector<Pointer>(open_)) {
    if (!exchange->is_watch || exchange->dead || exchange->forward == nullptr) continue;
    deliver_chunk(exchange, line);
    answer(exchange, net::HttpResponse{200, {}, ""});
    exchange->closed = true;
  }
}

void ApiLine::cut(bool cut) {
  faults.cut = cut;
  if (!cut) return;
  for (const Pointer& exchange : open_) {
    if (exchange->is_watch && !exchange->dead) {
      fail_after(exchange, context_.between(absl::Seconds(5), absl::Seconds(60)), "connection timed out");
    }
  }
}

void ApiLine::die() {
  dead_ = true;
  for (const Pointer& exchange : std::exchange(open_, {})) {
    exchange->line = nullptr;
    exchange->dead = true;
    exchange->request.on_chunk = nullptr;
    if (exchange->is_watch) exchange->server_scope.cancel();
    exchange->done.set(absl::CancelledError("the process ended"));
  }
}

}  // namespace tidegate::sim
