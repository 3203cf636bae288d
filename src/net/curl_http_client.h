#pragma once
// HttpClient on libcurl's multi interface, within an Asio loop and on its thread.
//
// libcurl's sockets live in one private epoll descriptor and Asio waits on that one descriptor, so libcurl may open and
// close sockets as it likes without Asio knowing. HTTP/2 where the server offers it over TLS: all requests to one host
// share a connection. A peer whose network is gone is noticed within about half a minute by TCP (keep-alive probes and
// TCP_USER_TIMEOUT); one whose kernel still acknowledges what nobody reads by HttpRequest::probe. libcurl 7.88 sends no
// HTTP/2 PING from the multi interface: curl_easy_upkeep reaches only connections of easy handles used alone, and does
// not wait for the answer.
//
// Made by main.cc: on the loop for the Kubernetes API, inside ThreadedHttpClient for hosts that users name.
#include <utility>

#include <boost/asio/io_context.hpp>

#include <memory>

#include "base/clock.h"
#include "net/curl_options.h"
#include "net/http_client.h"

namespace tidegate::net {

class CurlHttpClient : public HttpClient {
 public:
  // `context` and `clock` must outlive the client.
  CurlHttpClient(boost::asio::io_context& context, base::Clock& clock, CurlOptions options = {});
  // Requests that are still running end with CANCELLED. Not from inside an on_chunk.
  ~CurlHttpClient() override;

  // Asks for gzip and decodes it, unless the request brings its own accept-encoding. Redirects are not followed.
  // A transfer that a server ends early is UNAVAILABLE.
  base::Task<absl::StatusOr<HttpResponse>> request(HttpRequest request, base::Scope& scope) override;

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace tidegate::net
