#pragma once
// One check against one set of measurements: interval, limit and verdict. Used by verdict.
#include "api/types.h"
#include "rollout/observed.h"

namespace tidegate::rollout {

struct CheckInput {
  const api::Check* check = nullptr;
  const api::AnalysisSpec* analysis = nullptr;
  const Measurements* measurements = nullptr;
  int tests = 1;             // checks × steps that share the level of a Fail
  double design_effect = 1;  // counts are divided by it; below 1 it asks "what if there were more of the same?"
};

struct CheckEvaluation {
  api::AnalysisResult result;
  bool provisional = false;  // estimate within the limit, and harm beyond three times the limit excluded
};

CheckEvaluation evaluate(const CheckInput& input);

// Whether the check lets the step be left.
bool may_leave(const CheckEvaluation& evaluation, bool last_step);

bool compares_with_stable(const api::Check& check);

// Errors of an arm by the classes that count, and always those that the model itself raised.
int64_t errors_of(const ArmMeasurement& arm, const api::AnalysisSpec& analysis);

}  // namespace tidegate::rollout
