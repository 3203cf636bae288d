// How far a proxy has got, as one text. The xDS server gives it as the version of the endpoints of kVersionCluster, and
// only after the proxy has accepted everything else up to there; the proxy repeats it in its statistics and when it
// reconnects. So any replica can read from any proxy what it has applied, whichever replica serves it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidegate::traffic {

struct AppliedVersion {
  // Everything that was written to the API up to here is in force; 0: nothing is known.
  uint64_t resource_version = 0;
  // "<namespace>/<name>" of the ModelDeployments that are not: the proxy refused what it was sent for them. Sorted.
  std::vector<std::string> without;

  friend bool operator==(const AppliedVersion&, const AppliedVersion&) = default;
};

// "4711", or "4711 without demo/cats,demo/digits".
std::string to_text(const AppliedVersion& version);
// What to_text() made; any other text is a proxy of which nothing is known.
AppliedVersion parse_applied_version(std::string_view text);

}  // namespace tidegate::traffic
