#pragma once
// The way of a prediction to its model: it waits for a slot. One way for all protocols. Templates, since most requests
// run at once and are to cost no more than a call.
#include <absl/status/status.h>

#include <string_view>
#include <utility>

#include "serving-runtime/api/front_end.h"

namespace tidegate::serving {

// Who asks, and for what.
struct Arrival {
  Api api;
  std::string_view model;
};

template <class Refuse>
void turn_away(const FrontEndContext& context, const Arrival& arrival, const absl::Status& why, const Refuse& refuse) {
  // No stranger makes a new series.
  const bool known = context.directory.read()->models.contains(arrival.model);
  context.metrics.count_refusal(arrival.api, known ? arrival.model : "", why);
  refuse(why);
}

// Calls exactly one of the two: `work` when the prediction has its turn, now or later on another thread that answers
// requests; `refuse` now, when too many wait. What is refused is counted here, what is run by `work`.
template <class Work, class Refuse>
void admit(const FrontEndContext& context, const Arrival& arrival, Work work, const Refuse& refuse) {
  const absl::Status queued = context.gate.run(arrival.model, std::move(work));
  if (!queued.ok()) turn_away(context, arrival, queued, refuse);
}

}  // namespace tidegate::serving
