// Whether a program can be turned into configuration that a proxy will take. Pure; used by build.cc, and by the
// operator's webhook to say so earlier.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "traffic/build.h"
#include "traffic/program.h"

namespace tidegate::traffic {

// Empty if all is well; else a sentence that says which field is wrong and what is allowed.
std::string find_fault(const Program& program);

// Why no object may have this host, whoever else asks for it; empty if one may.
std::string find_host_fault(const std::string& host, const std::string& cluster_domain);

// Which of the hosts that objects ask for they get: see resolve_hosts.
struct HostClaims {
  std::map<size_t, std::vector<std::string>> granted;  // by index into the programs given; lower case, sorted
  std::vector<ProgramError> errors;
};

// A host that is no DNS name, that lies below the cluster domain or ends in ".svc", or that has the form of an object's
// own name (<name>.<namespace> of any of `programs`) is refused. Of two objects that ask for the same host the older
// (created, then uid) gets it. `programs`: sorted by namespace and name, no two of one. Costs what the objects that ask
// for hosts cost.
HostClaims resolve_hosts(const std::vector<const Program*>& programs, const std::string& cluster_domain);

// The names that an object has by itself: <n>.<ns>, <n>.<ns>.svc, <n>.<ns>.svc.<cluster domain>.
std::vector<std::string> own_hosts(const Program& program, const std::string& cluster_domain);

}  // namespace tidegate::traffic
