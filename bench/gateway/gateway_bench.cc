// What one changed weight costs when there are many objects: ours to make and send it, and the gateway's to apply it.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/strings.h"
#include "traffic/build.h"
#include "xds/gateway_world.h"
#include "xds/stream_state.h"

namespace tidegate {
namespace {

traffic::Program program(int number, int resource_version, int new_weight) {
  traffic::Program program;
  program.namespace_ = "bench";
  program.name = base::cat("model-", 100'000 + number);  // in the order of their numbers
  program.uid = base::cat(number);
  program.resource_version = base::cat(resource_version);
  program.revisions = {{program.name + "-0123abcd", 100 - new_weight, {{"127.0.0.1", 1, 1}, {"127.0.0.2", 1, 1}}},
                       {program.name + "-4567abcd", new_weight, {{"127.0.0.3", 1, 1}, {"127.0.0.4", 1, 1}}}};
  return program;
}

traffic::Programs programs(int count) {
  traffic::Programs programs;
  for (int i = 0; i < count; ++i) programs.push_back(std::make_shared<const traffic::Program>(program(i, i + 1, 0)));
  return programs;
}

void change_one(traffic::Programs& programs, int change) {
  programs[programs.size() / 2] = std::make_shared<const traffic::Program>(
      program(static_cast<int>(programs.size() / 2), static_cast<int>(programs.size()) + 1 + change, 1 + change % 99));
}

void BuildFromNothing(benchmark::State& state) {
  const traffic::Programs all = programs(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(traffic::build(all, {}, nullptr));
}
BENCHMARK(BuildFromNothing)->Arg(100)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

void BuildAfterOneChange(benchmark::State& state) {
  traffic::Programs all = programs(static_cast<int>(state.range(0)));
  traffic::BuildResult last = traffic::build(all, {}, nullptr);
  int change = 0;
  for (auto _ : state) {
    change_one(all, ++change);
    last = traffic::build(all, {}, &last);
  }
}
BENCHMARK(BuildAfterOneChange)->Arg(100)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMillisecond);

// A proxy that asks for everything and accepts whatever it is sent.
class WillingProxy {
 public:
  WillingProxy() {
    for (const traffic::ResourceType type : traffic::kResourceTypes) ask(type, {});
    ask(traffic::ResourceType::kEndpoints, {traffic::kVersionCluster});
  }

  void take_to(const std::shared_ptr<const traffic::Snapshot>& snapshot) {
    while (true) {
      const std::vector<xds::Response> responses = state_.due(snapshot);
      if (responses.empty()) return;
      for (const xds::Response& response : responses) accept(response);
    }
  }

 private:
  void ask(traffic::ResourceType type, std::vector<std::string> names) {
    state_.on_request({type, "", std::nullopt, std::move(names), {}, {}});
  }
  void accept(const xds::Response& response) {
    std::vector<std::string> clusters;
    if (response.type == traffic::ResourceType::kCluster) {
      for (const traffic::Resource* cluster : response.changed) clusters.push_back(cluster->name);
    }
    state_.on_request({response.type, response.nonce, std::nullopt, {}, {}, {}});
    if (!clusters.empty()) ask(traffic::ResourceType::kEndpoints, std::move(clusters));
  }

  xds::StreamState state_;
};

// What a stream decides until the proxy has confirmed the change; without serialising and sending.
void DecideAfterOneChange(benchmark::State& state) {
  traffic::Programs all = programs(static_cast<int>(state.range(0)));
  traffic::BuildResult last = traffic::build(all, {}, nullptr);
  WillingProxy proxy;
  proxy.take_to(last.snapshot);
  int change = 0;
  for (auto _ : state) {
    state.PauseTiming();
    change_one(all, ++change);
    last = traffic::build(all, {}, &last);
    state.ResumeTiming();
    proxy.take_to(last.snapshot);
  }
}
BENCHMARK(DecideAfterOneChange)->Arg(100)->Arg(1'000)->Arg(10'000)->Unit(benchmark::kMicrosecond);

class Gateway : public xds::GatewayWorld {
 public:
  void TestBody() override {}

  void start(int objects) {
    programs_ = programs(objects);
    start_server();
    publish_all(programs_);
    start_envoy();
  }
  bool is_up_to_date() { return applied(); }
  void change(int number) {
    change_one(programs_, number);
    publish_all(programs_);
  }
  // User and system time of the proxy so far, in milliseconds.
  double cpu_milliseconds() const {
    std::ifstream file(base::cat("/proc/", envoy_pid(), "/stat"));
    std::string word;
    std::getline(file, word, ')');
    double ticks = 0;
    for (int field = 3; field <= 15 && file >> word; ++field) {
      if (field >= 14) ticks += std::stod(word);
    }
    return ticks * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  traffic::Programs programs_;
};

// From handing over the snapshot to the gateway's confirmation that it is in force. `gateway_cpu_ms` is of the proxy,
// for one change.
void ChangeOneWeight(benchmark::State& state) {
  Gateway gateway;
  gateway.start(static_cast<int>(state.range(0)));
  if (!gateway.is_up_to_date()) return state.SkipWithError("the proxy did not start");
  const double before = gateway.cpu_milliseconds();
  int change = 0;
  for (auto _ : state) {
    gateway.change(++change);
    if (!gateway.is_up_to_date()) return state.SkipWithError("the proxy does not answer");
  }
  state.counters["gateway_cpu_ms"] = (gateway.cpu_milliseconds() - before) / change;
}
BENCHMARK(ChangeOneWeight)
    ->Arg(100)
    ->Arg(1'000)
    ->Arg(5'000)
    ->Iterations(50)
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tidegate
