#pragma once
// Where a canary stands among its steps, and what each stage needs: arithmetic of spec and status, no decisions. Used
// by the planners.
#include "rollout/draft.h"

namespace tidegate::rollout {

// status.canary.failure of an abort that waits for a stable replica.
inline constexpr char kAborted[] = "Aborted";

// How much more than its even share a replica is trusted to carry (rule 3): 1.25, as a fraction of whole per cents.
inline constexpr int kOverloadPercent = 125;

struct Stage {
  int index = 0;            // into spec.rollout.steps; their number: the last stage, all traffic
  bool final = false;       // weight 100
  int weight = 0;           // that this stage is about
  int former_weight = 0;    // of the stage before; 0 for the first
  int replicas = 0;         // to ask for
  int required = 0;         // that must be available before the stage's weight is given
  int stable_replicas = 0;  // of stable meanwhile
};

// Of status.canary, which must be there.
Stage stage_of(const Draft& draft);

// Fewest replicas that must be available for the canary to have `weight`: what carries it, or what the step of that
// weight says itself.
int required_for(const Draft& draft, int weight);

// Whether surge: Never leaves no room for a canary at all: a single replica cannot be shared.
bool surge_impossible(const Draft& draft);

// Fewest available replicas that may carry `weight` per cent: ceil(weight/100 × desired / 1.25), at least 1 (rule 3).
int replicas_to_carry(int weight, int desired);

// Largest weight that `available` replicas may carry, 0–100.
int weight_carried_by(int available, int desired);

// Even share: ceil(weight/100 × desired), at least 1.
int replicas_for(int weight, int desired);

}  // namespace tidegate::rollout
