#include "sim/replica.h"

#include <utility>

#include "base/strings.h"
#include "operator/stores.h"

namespace tidegate::sim {

struct Replica::Life {
  Life(Context& context, absl::Duration skew, uint64_t seed) : clock(context.now(), skew), random(seed) {}

  base::Loop loop;  // first: what still hangs in it goes last
  SimClock clock;
  base::SeededRandom random;
  std::unique_ptr<ApiLine> api;
  std::unique_ptr<OutsideLine> outside;
  base::Scope scope;
  SimXdsServer* xds = nullptr;
  std::unique_ptr<operator_::Process> process;
  bool running = true;
};

Replica::Replica(Context& context, std::string name, absl::Duration skew, Surroundings surroundings)
    : context_(context), name_(std::move(name)), skew_(skew), surroundings_(std::move(surroundings)) {}

Replica::~Replica() { kill(); }

base::Task<void> Replica::run(Life& life) {
  const absl::Status ended = co_await life.process->run(life.scope);
  life.running = false;
}

void Replica::start() {
  stopped_ = false;
  life_ = std::make_unique<Life>(context_, skew_, context_.random.next());
  Life& life = *life_;
  const std::string identity = base::cat(name_, "-", ++lives_);
  life.api = std::make_unique<ApiLine>(context_, surroundings_.api, life.loop, life.clock, identity);
  life.outside = std::make_unique<OutsideLine>(context_, life.clock, surroundings_.outside);
  operator_::Options options;
  kube::ClientConfig config;
  config.server = "https://api.test:6443";
  auto make_xds = [this, &life](xds::ServerOptions server, const net::TlsIdentity&) {
    auto made = std::make_unique<SimXdsServer>(context_, life.loop, std::move(server), [line = life.api.get()] {
      return XdsSender{line->replica(), line->models_seen()};
    });
    life.xds = made.get();
    return absl::StatusOr<std::unique_ptr<xds::Server>>(std::move(made));
  };
  life.process = std::make_unique<operator_::Process>(
      operator_::Environment{life.loop, life.clock, life.random, *life.api, *life.outside, config, identity, make_xds},
      options);
  if (surroundings_.slow_starts) slow_down(*life.api);
  life.loop.spawn(run(life));
  context_.note(identity, "starts");
}

void Replica::slow_down(ApiLine& line) {
  if (context_.chance(0.3)) {
    // A list may take long, and one collection's longer than another's.
    const auto& slow = context_.chance(0.5) ? kube::resources::pods() : operator_::model_deployments();
    line.faults.frozen = slow.path("");
    line.faults.frozen_until = context_.now() + context_.between(absl::Seconds(1), absl::Seconds(20));
  } else if (lives_ > 1 && context_.chance(0.3)) {
    const absl::Duration behind = context_.between(absl::Seconds(5), absl::Minutes(3));
    context_.note("fault", base::cat(name_, "-", lives_, " meets an API server that is ",
                                     absl::FormatDuration(absl::Trunc(behind, absl::Seconds(1))), " behind"));
    line.travel_to(context_.now() - behind, context_.now() + context_.between(absl::Seconds(2), absl::Seconds(60)));
  }
}

void Replica::terminate() {
  if (!life_ || stopped_) return;
  context_.note(life_->api->replica(), "is asked to end");
  life_->scope.cancel();
}

void Replica::kill() {
  if (!life_) return;
  context_.note(life_->api->replica(), "is killed");
  bury();
}

// Its tasks unwind in a time of their own, cut off from the world.
void Replica::bury() {
  Life& life = *life_;
  life.api->die();
  life.outside->die();
  if (life.xds != nullptr) life.xds->shutdown();
  life.scope.cancel();
  for (int i = 0; i < 1000; ++i) {
    while (life.loop.run_ready() > 0) {
    }
    if (!life.running) break;
    life.clock.set(life.clock.truth() + absl::Milliseconds(100));
    life.clock.fire_due();
  }
  if (life.running) {
    context_.trace.violate(context_.now(), "L4 ending", base::cat(life.api->replica(), " does not end"));
    static_cast<void>(life_.release());  // its tasks still run in it
  }
  life_.reset();
  stopped_ = false;
}

void Replica::stop() {
  if (!life_ || stopped_) return;
  context_.note(life_->api->replica(), "is stopped");
  stopped_ = true;
}

void Replica::resume() {
  if (!life_ || !stopped_) return;
  context_.note(life_->api->replica(), "goes on");
  stopped_ = false;
  life_->clock.set(context_.now());
  // Whether timers or answers are seen first is the kernel's choice.
  if (context_.chance(0.5)) run_ready();
  if (life_) life_->clock.fire_due();
}

bool Replica::run_ready() {
  if (!life_ || stopped_) return false;
  const bool ran = life_->loop.run_ready() > 0;
  if (!life_->running) {
    context_.note(life_->api->replica(), "has ended");
    bury();
  }
  return ran;
}

absl::Time Replica::next_due() const { return life_ && !stopped_ ? life_->clock.next_due() : absl::InfiniteFuture(); }

void Replica::advance_to(absl::Time time) {
  if (!life_ || stopped_) return;
  life_->clock.set(time);
  life_->clock.fire_due();
}

SimXdsServer* Replica::xds() const { return life_ ? life_->xds : nullptr; }
ApiLine* Replica::api() const { return life_ ? life_->api.get() : nullptr; }
OutsideLine* Replica::outside() const { return life_ ? life_->outside.get() : nullptr; }

bool Replica::is_ready() const { return life_ && !stopped_ && page("/readyz") == "ok\n"; }

std::string Replica::page(const std::string& path) const {
  net::ServerRequest request;
  request.method = "GET";
  request.target = path;
  return life_->process->pages().answer(request).body;
}

}  // namespace tidegate::sim
