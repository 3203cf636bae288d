#pragma once
// Compressed bodies of REST: requests are decompressed before anything reads them, answers are compressed for those who
// can take it. Called by rest_router.h.
#include <absl/status/status.h>

#include <cstdint>
#include <optional>

#include "net/content_coding.h"
#include "net/http_server.h"

namespace tidegate::serving {

struct CodingOptions {
  uint64_t max_body_bytes = 64ull << 20;  // of a request, decompressed
  uint64_t compress_from = 0;             // bytes of an answer; 0: answers are never compressed
};

// Decompresses the body in place, if it is compressed. Else the refusal to answer with: 413 when it is too large, 415
// for a coding that is not known, 400 for a broken stream.
std::optional<net::ServerResponse> decode_body(net::ServerRequest& request, const CodingOptions& options);

// An answer of at least that size is compressed as `request` accepts it. When answers are never compressed, or not for
// this client, `respond` itself.
net::Responder compressing(net::Responder respond, const net::ServerRequest& request, const CodingOptions& options);

}  // namespace tidegate::serving
