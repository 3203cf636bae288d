// What a watch event costs and what a cached object takes, by the path that the reflector goes (simdjson's tape into a
// slim struct) and by the one it does not (a nlohmann tree first). Same decoders, same objects; see README.md.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include "api/json.h"
#include "base/clock.h"
#include "base/strings.h"
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
  store.add_index("by deployment", [](const kube::ObjectKey&, const kube::Pod& pod) {
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
