#pragma once
// The way of a request to its model: a quick prediction joins the cohort of the thread that has read it, others leave a
// thread that polls; the model is loaded if it has to be, then a prediction waits for a slot. One way for all
// protocols. Templates, since most requests run at once and are to cost no more than a call.
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include <string>
#include <string_view>
#include <utility>

#include "serving-runtime/api/front_end.h"
#include "serving-runtime/core/cohort.h"

namespace tidegate::serving {

// Who asks, and for what.
struct Arrival {
  Api api;
  std::string_view model;                        // a text that lives until one of the two is called
  size_t bytes = 0;                              // of the request
  absl::Time deadline = absl::InfiniteFuture();  // of the wall clock
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
void take_turn(const FrontEndContext& context, const Arrival& arrival, InferenceGate::Place place, ModelUse use,
               Work work, const Refuse& refuse) {
  const absl::Status queued =
      use ? context.gate.run(
                arrival.model, [use = std::move(use), work = std::move(work)] { work(); }, place)
          : context.gate.run(arrival.model, std::move(work), place);
  if (!queued.ok()) turn_away(context, arrival, queued, refuse);
}

template <class Work, class Refuse>
void ask_for_turn(const FrontEndContext& context, const Arrival& arrival, InferenceGate::Place place, Work work,
                  Refuse refuse) {
  if (context.demand == nullptr) return take_turn(context, arrival, place, nullptr, std::move(work), refuse);
  context.demand->need(arrival.model, arrival.deadline,
                       [&context, arrival, place, work = std::move(work),
                        refuse = std::move(refuse)](const absl::StatusOr<ModelUse>& use) {
                         if (!use.ok()) return turn_away(context, arrival, use.status(), refuse);
                         take_turn(context, arrival, place, *use, work, refuse);
                       });
}

// By the model's newest version. Infinite for one that has not answered yet.
inline absl::Duration expected_work(const ServableTable& table, std::string_view name) {
  const auto model = table.models.find(name);
  if (model == table.models.end()) return absl::InfiniteDuration();
  for (const auto& [version, entry] : model->second.versions) {
    if (entry.servable) return entry.servable->statistics().typical_work();
  }
  return absl::InfiniteDuration();
}

// The same for a prediction: `work` also has its turn, or it is refused because too many wait. What is refused is
// counted here, what is run by `work`, which sends its answer with Cohort::answer().
template <class Work, class Refuse>
void admit(const FrontEndContext& context, const Arrival& arrival, Work work, Refuse refuse) {
  using Place = InferenceGate::Place;
  Cohort* cohort = Cohort::of_this_thread();
  if (cohort == nullptr) {
    return ask_for_turn(context, arrival, Place::kHere, std::move(work), std::move(refuse));
  }
  const absl::Duration expected = expected_work(*context.directory.read(), arrival.model);
  if (!cohort->takes(expected, arrival.bytes)) {
    return ask_for_turn(context, arrival, Place::kElsewhere, std::move(work), std::move(refuse));
  }
  cohort->add(expected, [&context, arrival, work = std::move(work), refuse = std::move(refuse)]() mutable {
    ask_for_turn(context, arrival, Place::kHere, std::move(work), std::move(refuse));
  });
}

}  // namespace tidegate::serving
