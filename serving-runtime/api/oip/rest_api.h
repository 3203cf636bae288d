#pragma once
// The Open Inference Protocol's REST API (KServe v2) with Triton's extensions over the servables; rest_path.h lists the
// paths. Called by server/rest_router.h for /v2….
#include "net/http_server.h"
#include "serving-runtime/api/front_end.h"
#include "serving-runtime/api/oip/rest_path.h"

namespace tidegate::serving::oip {

class RestApi {
 public:
  explicit RestApi(FrontEndContext& context) : context_(context) {}
  // Answers exactly once, now or when the request's turn comes or the model is loaded.
  void handle(net::ServerRequest request, net::Responder respond);

 private:
  void start_description(RestPath path, net::ServerRequest request, net::Responder respond);
  // What is known at once, of signatures when the model is loaded.
  net::ServerResponse describe(const RestPath& path, const net::ServerRequest& request);
  void start_inference(RestPath path, net::ServerRequest request, net::Responder respond);
  net::ServerResponse run_inference(const RestPath& path, const net::ServerRequest& request, absl::Duration arrived);
  void change_model(const RestPath& path, const net::ServerRequest& request, net::Responder respond);

  FrontEndContext& context_;
};

}  // namespace tidegate::serving::oip
