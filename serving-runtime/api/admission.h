#pragma once
// The way of a request to its model: the model is loaded if it has to be, then a prediction waits for a slot. One way
// for all protocols. Templates, since most requests run at once and are to cost no more than a call.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <string_view>
#include <utility>

#include "serving-runtime/api/front_end.h"

namespace tidegate::serving {

// Who asks, and for what.
struct Arrival {
  Api api;
  std::string_view model;                        // read before admit() returns
  absl::Time deadline = absl::InfiniteFuture();  // of the wall clock
  InferenceGate::Place place = InferenceGate::Place::kHere;
};

// Calls exactly one of the two, now or later, on a thread that answers requests: `work` when the model is loaded, which
// it is until `work` returns, or is none that would have to be; else `refuse` with the reason.
template <class Work, class Refuse>
void with_model(const FrontEndContext& context, std::string_view model, Work work, Refuse refuse) {
  if (context.demand == nullptr) return work();
  context.demand->need(model, absl::InfiniteFuture(),
                       [work = std::move(work), refuse = std::move(refuse)](const absl::StatusOr<ModelUse>& use) {
                         use.ok() ? work() : refuse(use.status());
                       });
}

template <class Refuse>
void turn_away(const FrontEndContext& context, const Arrival& arrival, const absl::Status& why, const Refuse& refuse) {
  // No stranger makes a new series.
  const bool known = context.directory.read()->models.contains(arrival.model);
  context.metrics.count_refusal(arrival.api, known ? arrival.model : "", why);
  refuse(why);
}

// `work` keeps `use` until it has run.
template <class Work, class Refuse>
void take_turn(const FrontEndContext& context, const Arrival& arrival, ModelUse use, Work work, const Refuse& refuse) {
  const absl::Status queued =
      use ? context.gate.run(
                arrival.model, [use = std::move(use), work = std::move(work)] { work(); }, arrival.place)
          : context.gate.run(arrival.model, std::move(work), arrival.place);
  if (!queued.ok()) turn_away(context, arrival, queued, refuse);
}

// The same for a prediction: `work` also has its turn, or it is refused because too many wait. What is refused is
// counted here, what is run by `work`.
template <class Work, class Refuse>
void admit(const FrontEndContext& context, const Arrival& arrival, Work work, Refuse refuse) {
  if (context.demand == nullptr) return take_turn(context, arrival, nullptr, std::move(work), refuse);
  context.demand->need(arrival.model, arrival.deadline,
                       [&context, api = arrival.api, model = std::string(arrival.model), place = arrival.place,
                        work = std::move(work), refuse = std::move(refuse)](const absl::StatusOr<ModelUse>& use) {
                         if (!use.ok()) return turn_away(context, {api, model}, use.status(), refuse);
                         take_turn(context, {api, model, absl::InfiniteFuture(), place}, *use, work, refuse);
                       });
}

}  // namespace tidegate::serving
