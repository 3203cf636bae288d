#pragma once
// The Open Inference Protocol's REST API (KServe v2) over the servables. Called by server/rest_router.h for /v2….
#include <functional>

#include "net/http_server.h"
#include "serving-runtime/api/front_end.h"

namespace tidegate::serving::oip {

class RestApi {
 public:
  explicit RestApi(FrontEndContext& context) : context_(context) {}
  // GET /v2, GET /v2/models/{m}[/versions/{v}][/ready], POST /v2/models/{m}[/versions/{v}]/infer. Answers exactly once,
  // now or when the request's turn comes.
  void handle(net::ServerRequest request, net::Responder respond);

 private:
  net::ServerResponse infer(const ModelSpec& spec, const net::ServerRequest& request, absl::Duration arrived);

  FrontEndContext& context_;
};

}  // namespace tidegate::serving::oip
