#pragma once
// The REST port: health and metrics here, /v1 to TensorFlow Serving's API, /v2 to the Open Inference Protocol's.
#include <atomic>
#include <string>
#include <utility>

#include "net/http_server.h"
#include "serving-runtime/api/oip/rest_api.h"
#include "serving-runtime/api/tfs/rest_api.h"
#include "serving-runtime/server/access_tokens.h"
#include "serving-runtime/server/rest_codings.h"

namespace tidegate::serving {

struct RouterOptions {
  std::string tfs_metrics_path;  // where the metrics also are, with those of TensorFlow Serving; empty: nowhere
  bool cors = false;             // web pages of any origin may ask
};

class RestRouter {
 public:
  RestRouter(FrontEndContext& context, const AccessTokens& tokens, const CodingOptions& codings, RouterOptions options)
      : context_(context),
        tokens_(tokens),
        codings_(codings),
        options_(std::move(options)),
        tfs_(context),
        oip_(context) {}
  // On a thread that polls, only probes and what is short stay there.
  void handle(net::ServerRequest request, net::Responder respond);

  // From now on not ready, whatever is loaded: the pod is leaving.
  void begin_drain() { draining_ = true; }
  bool ready() const { return !draining_ && context_.directory.read()->ready(); }

 private:
  // Whether nothing but the model, which api/admission.h judges, can take long.
  bool is_short(const net::ServerRequest& request) const;
  void answer(net::ServerRequest request, net::Responder respond);
  std::string metrics() { return context_.metrics.render(*context_.directory.read(), context_.gate); }

  FrontEndContext& context_;
  const AccessTokens& tokens_;  // for all but health and metrics
  const CodingOptions codings_;
  const RouterOptions options_;
  tfs::RestApi tfs_;
  oip::RestApi oip_;
  std::atomic<bool> draining_ = false;
};

}  // namespace tidegate::serving
