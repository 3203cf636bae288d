// What a watch event costs and what a cached object takes, by the path that the reflector goes (simdjson's tape into a
// slim struct) and by the one it does not (a nlohmann tree first). Same decoders, same objects; see README.md.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>

#include "api/json.h"
#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/strings.h"
#include "kube/client.h"
#include "kube/list_page.h"
#include "kube/reflector.h"
#include "kube/samples.h"
#include "kube/store.h"
#include "kube/types.h"
#include "kube/watch_event.h"

namespace tidegate::bench {
namespace {

using kube::Json;
using kube::JsonView;

constexpr int kCached = 10'000;

template <class Decode>
void event_by_tape(benchmark::State& state, const std::string& object, Decode decode) {
  const std::string line = event_line(object);
  base::JsonDocument document;
  for (auto _ : state) {
    const auto event = kube::parse_watch_event(line, "bench", document);
    benchmark::DoNotOptimize(decode(event->object));
  }
  state.counters["object_bytes"] = static_cast<double>(object.size());
}

template <class Decode>
void event_by_tree(benchmark::State& state, const std::string& object, Decode decode) {
  const std::string line = event_line(object);
  for (auto _ : state) {
    const Json event = Json::parse(line);
    benchmark::DoNotOptimize(decode(event["object"]));
  }
  state.counters["object_bytes"] = static_cast<double>(object.size());
}

void PodByTape(benchmark::State& state) {
  event_by_tape(state, pod_text(1, static_cast<int>(state.range(0))), kube::decode_pod);
}
void PodByTree(benchmark::State& state) {
  event_by_tree(state, pod_text(1, static_cast<int>(state.range(0))), kube::decode_pod);
}
void DeploymentByTape(benchmark::State& state) { event_by_tape(state, deployment_text(1), kube::decode_deployment); }
void DeploymentByTree(benchmark::State& state) { event_by_tree(state, deployment_text(1), kube::decode_deployment); }
void ModelDeploymentByTape(benchmark::State& state) {
  event_by_tape(state, model_deployment_text(1), api::parse_model_deployment);
}
void ModelDeploymentByTree(benchmark::State& state) {
  event_by_tree(state, model_deployment_text(1), api::parse_model_deployment);
}
BENCHMARK(PodByTape)->Arg(0)->Arg(8);
BENCHMARK(PodByTree)->Arg(0)->Arg(8);
BENCHMARK(DeploymentByTape);
BENCHMARK(DeploymentByTree);
BENCHMARK(ModelDeploymentByTape);
BENCHMARK(ModelDeploymentByTree);

// From the bytes of the network to the handlers of the store.
void PodFromBytesToStore(benchmark::State& state) {
  base::ManualClock clock;
  kube::Store<kube::Pod> store("pods", kube::decode_pod, clock);
  store.add_index("by deployment", [](const base::ObjectKey&, const kube::Pod& pod) {
    return std::vector<std::string>{pod.meta.label("tidegate.dev/modeldeployment")};
  });
  base::JsonDocument document;
  for (int i = 0; i < kCached; ++i) store.upsert(*document.parse(pod_text(i)));
  std::vector<std::string> lines;
  for (int i = 0; i < 1000; ++i) {
    Json pod = Json::parse(pod_text(i));
    lines.push_back(event_line(pod.dump()) + "\n");
  }
  kube::LineDecoder decoder;
  uint64_t version = 2'000'000;
  size_t at = 0;
  const std::string before = "\"resourceVersion\":\"";
  for (auto _ : state) {
    std::string& line = lines[at++ % lines.size()];
    const std::string next = base::cat(++version);
    line.replace(line.find(before) + before.size(), next.size(), next);
    decoder.feed(line, [&](std::string_view text) {
      const auto event = kube::parse_watch_event(text, "bench", document);
      store.upsert(event->object);
      return true;
    });
  }
}
BENCHMARK(PodFromBytesToStore);

constexpr int kListed = 20'000;

// A list of kListed pods as an API server sends it: resourceVersion "0" is answered in one page.
const std::string& big_list() {
  static const std::string list = [] {
    std::string text = R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"3000000"},"items":[)";
    for (int i = 0; i < kListed; ++i) text += base::cat(i == 0 ? "" : ",", pod_text(i));
    return text + "]}";
  }();
  return list;
}

void add_index(kube::Store<kube::Pod>& pods) {
  pods.add_index("by deployment", [](const base::ObjectKey&, const kube::Pod& pod) {
    return std::vector<std::string>{pod.meta.label("tidegate.dev/modeldeployment")};
  });
}

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// For how long the loop would be held if it did all of it at once.
void ListInOneTurn(benchmark::State& state) {
  base::ManualClock clock;
  for (auto _ : state) {
    kube::Store<kube::Pod> pods("pods", kube::decode_pod, clock);
    add_index(pods);
    kube::ListText text{"bench", {big_list()}};
    const auto began = std::chrono::steady_clock::now();
    {
      const auto page = kube::read_list_page(std::move(text));
      for (const JsonView& item : page->items) pods.keep(item);
      pods.commit(page->resource_version);
    }
    state.SetIterationTime(seconds_since(began));
  }
}
BENCHMARK(ListInOneTurn)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);

// Answers a list once and leaves the watch open.
class OneListServer : public net::HttpClient {
 public:
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope& scope) override {
    base::Promise<bool> over;
    auto registration = scope.on_cancel([over] { over.set(true); });
    if (request.on_chunk) co_await over.wait();
    net::HttpResponse response;
    response.status = 200;
    response.pieces = std::move(pieces);
    co_return response;
  }

  std::vector<std::string> pieces;
};

// The longest turn of the loop while a reflector lists them.
void ListByTheReflectorLongestTurn(benchmark::State& state) {
  base::ManualClock clock;
  base::SeededRandom random(1);
  for (auto _ : state) {
    base::Loop loop;
    base::BackgroundThread background(loop);
    OneListServer server;
    for (size_t at = 0; at < big_list().size(); at += 256 << 10) {
      server.pieces.push_back(big_list().substr(at, 256 << 10));
    }
    kube::ClientConfig config;
    config.server = "https://bench.test";
    kube::Client client(server, config);
    kube::Store<kube::Pod> pods("pods", kube::decode_pod, clock);
    add_index(pods);
    kube::ReflectorOptions options;
    options.background = &background;
    kube::Reflector reflector(client, kube::resources::pods(), options, pods, clock, random);
    base::Scope scope;
    loop.spawn(reflector.run(scope));
    double longest = 0;
    while (!pods.synced()) {
      loop.context().restart();
      const auto began = std::chrono::steady_clock::now();
      if (loop.context().poll_one() > 0) longest = std::max(longest, seconds_since(began));
    }
    state.SetIterationTime(longest);
    scope.cancel();
    while (loop.run_ready() > 0) {
    }
  }
}
BENCHMARK(ListByTheReflectorLongestTurn)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(3);

size_t heap_bytes() {
  const struct mallinfo2 facts = ::mallinfo2();
  return facts.uordblks + facts.hblkhd;
}

// Bytes of the heap for each of kCached objects, as `fill` keeps them.
template <class Fill>
void bytes_of_each(benchmark::State& state, Fill fill) {
  for (auto _ : state) {
    const size_t before = heap_bytes();
    auto kept = fill();
    state.counters["bytes_each"] = static_cast<double>(heap_bytes() - before) / kCached;
    benchmark::DoNotOptimize(kept);
  }
}

template <class T, class Decode>
std::unique_ptr<kube::Store<T>> filled(base::Clock& clock, Decode decode, std::string (*text)(int)) {
  auto store = std::make_unique<kube::Store<T>>("objects", decode, clock);
  base::JsonDocument document;
  for (int i = 0; i < kCached; ++i) store->upsert(*document.parse(text(i)));
  return store;
}

std::string plain_pod(int index) { return pod_text(index); }

void PodsInAStore(benchmark::State& state) {
  base::ManualClock clock;
  bytes_of_each(state, [&] { return filled<kube::Pod>(clock, kube::decode_pod, plain_pod); });
}
void DeploymentsInAStore(benchmark::State& state) {
  base::ManualClock clock;
  bytes_of_each(state, [&] { return filled<kube::Deployment>(clock, kube::decode_deployment, deployment_text); });
}
void ModelDeploymentsInAStore(benchmark::State& state) {
  base::ManualClock clock;
  bytes_of_each(
      state, [&] { return filled<api::ModelDeployment>(clock, api::parse_model_deployment, model_deployment_text); });
}
void PodsAsTrees(benchmark::State& state) {
  bytes_of_each(state, [] {
    std::vector<Json> trees;
    for (int i = 0; i < kCached; ++i) trees.push_back(Json::parse(pod_text(i)));
    return trees;
  });
}
void PodsAsText(benchmark::State& state) {
  bytes_of_each(state, [] {
    std::vector<std::string> texts;
    for (int i = 0; i < kCached; ++i) texts.push_back(pod_text(i));
    return texts;
  });
}
BENCHMARK(PodsInAStore)->Iterations(1);
BENCHMARK(DeploymentsInAStore)->Iterations(1);
BENCHMARK(ModelDeploymentsInAStore)->Iterations(1);
BENCHMARK(PodsAsTrees)->Iterations(1);
BENCHMARK(PodsAsText)->Iterations(1);

}  // namespace
}  // namespace tidegate::bench
