#pragma once
// W14: what looks like a placeholder in arguments and environment, and is none. Pure.
#include <string>
#include <vector>

#include "api/types.h"
#include "operator/webhooks/finding.h"

namespace tidegate::operator_ {

void check_placeholders(const std::vector<std::string>& texts, const std::string& path, Findings& findings);
void check_placeholders(const std::vector<api::EnvVar>& variables, const std::string& path, Findings& findings);

}  // namespace tidegate::operator_
