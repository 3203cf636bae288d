#pragma once
// TensorFlow Serving's REST API over the servables. Called by server/rest_router.h for /v1/….
#include "net/http_server.h"
#include "serving-runtime/api/front_end.h"
#include "serving-runtime/api/tfs/rest_path.h"

namespace tidegate::serving::tfs {

class RestApi {
 public:
  explicit RestApi(FrontEndContext& context) : context_(context) {}
  // Answers exactly once, now or when the request's turn comes.
  void handle(net::ServerRequest request, net::Responder respond);

 private:
  void describe(const RestPath& path, net::Responder respond);
  net::ServerResponse infer(const RestPath& path, const net::ServerRequest& request, absl::Duration arrived);

  FrontEndContext& context_;
};

}  // namespace tidegate::serving::tfs
