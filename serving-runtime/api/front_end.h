#pragma once
// What every front end (TensorFlow Serving and Open Inference Protocol, REST and gRPC) is given to do its work.
#include <absl/time/time.h>

#include <functional>
#include <string>

#include "base/clock.h"
#include "serving-runtime/core/inference_gate.h"
#include "serving-runtime/core/model_control.h"
#include "serving-runtime/core/model_demand.h"
#include "serving-runtime/core/servable_table.h"
#include "serving-runtime/server/request_metrics.h"

namespace tidegate::serving {

struct FrontEndContext {
  const ServableDirectory& directory;
  InferenceGate& gate;
  RequestMetrics& metrics;
  const base::Clock& clock;
  ModelControl* control = nullptr;  // null: nothing is loaded or unloaded on request
  ModelDemand* demand = nullptr;    // null: all models are loaded
};

}  // namespace tidegate::serving
