#pragma once
// The planners, in the order in which plan() runs them. Each owns one part of the status to come and one question; each
// leaves the draft so that running it again on the outcome changes nothing. Used inside rollout only.
#include <string>
#include <string_view>

#include "rollout/draft.h"

namespace tidegate::rollout {

// commands_planner: acts once on each annotation of a person (rules 17, 18; retry, resume).
void plan_commands(Draft& draft);

// roles_planner: which revision is stable, which is the canary, which are on their way out, after a change of the
// spec (rules 6, 10, 11, 12, 28).
void plan_roles(Draft& draft);

// first_planner: the first deployment has no steps and no analysis (rules 10, 16).
void plan_first_deployment(Draft& draft);

// canary_planner: failures, deadline, verdict, and whether the step may be left (rules 14–17, 19–22).
void plan_canary(Draft& draft);

// traffic_planner: the shares of this instant, whether the proxies have them, and the end of a promotion (rules 1–3, 5,
// 8, 20).
void plan_traffic(Draft& draft);

// draining_planner: when a revision without weight may lose its pods (rule 4), and which old ones go (rule 26).
void plan_draining(Draft& draft);

// workloads_planner: Deployments to create and to scale (rules 3, 5, 24).
void plan_workloads(Draft& draft);

// conditions_planner and summary: phase, conditions, the sentence for a person.
void plan_conditions(Draft& draft);
std::string summarize(const Draft& draft);

}  // namespace tidegate::rollout
