#pragma once
// What every front end (TensorFlow Serving and Open Inference Protocol, REST and gRPC) is given to do its work.
#include <absl/time/time.h>

#include <functional>
#include <string_view>

#include "base/clock.h"
#include "serving-runtime/api/tfs/rules.h"
#include "serving-runtime/core/inference.h"
#include "serving-runtime/core/inference_gate.h"
#include "serving-runtime/core/model_control.h"
#include "serving-runtime/core/model_demand.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/metrics/request_metrics.h"

namespace tidegate::serving {

// What was asked, and how the request names itself: by the headers (on gRPC: metadata) kRequestId and kTraceparent as
// they were sent.
struct RequestOrigin {
  Api api;
  Operation operation;
  std::string_view id;
  std::string_view traceparent;
};

inline constexpr const char* kRequestId = "x-request-id";

struct FrontEndContext {
  const ServableDirectory& directory;
  InferenceGate& gate;
  RequestMetrics& metrics;
  const base::Clock& clock;
  ModelControl* control = nullptr;      // null: nothing is loaded or unloaded on request
  ModelDemand* demand = nullptr;        // null: all models are loaded
  RequestRecorder* recorder = nullptr;  // null: no request is recorded
  // Runs work on a thread that may be kept busy; null: no thread polls, so the one that asks may.
  std::function<void(std::function<void()>)> post = nullptr;
  tfs::Rules rules = {};

  Inference begin(absl::Duration arrived) const { return Inference(clock, arrived, recorder); }
  // The answer to a prediction is made: it is counted, and its record, if there is one, is handed in. Call once.
  void end(Inference& inference, const absl::Status& result, const RequestOrigin& origin) const;
};

}  // namespace tidegate::serving
