#pragma once
// One request on its way through libcurl: its easy handle, what has arrived of the answer, and the error it ends with.
// Used by CurlHttpClient only.
#include <curl/curl.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/curl_options.h"
#include "net/http_client.h"

namespace tidegate::net {

struct CurlEasyCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct CurlSlistCleanup {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using CurlEasy = std::unique_ptr<CURL, CurlEasyCleanup>;

class CurlTransfer {
 public:
  using Result = absl::StatusOr<HttpResponse>;

  // `easy` has no options set.
  CurlTransfer(HttpRequest request, CurlEasy easy, const CurlOptions& options, base::Clock& clock);
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  // Sets every option of the easy handle. INVALID_ARGUMENT for a request that cannot be sent.
  absl::Status prepare();
  // What libcurl's final code means to the caller.
  Result result(CURLcode code);
  // From here on nothing reaches on_chunk any more.
  void abandon() { abandoned_ = true; }
  // The error of a transfer that was silent for its stall_timeout.
  absl::Status stalled() const;

  // Once it is over: the handle, with no options set, for another one.
  CurlEasy take_easy();

  // Null from take_easy() on.
  CURL* easy() const { return easy_.get(); }
  const HttpRequest& request() const { return request_; }
  // clock.uptime() when the last byte came (or the transfer began).
  absl::Duration last_activity() const { return last_activity_; }
  // The same, but minus infinity when none has come.
  absl::Duration last_received() const { return last_received_; }
  // Which connection it went out on, by our end's port; 0 before that. Connections outlive requests and share them.
  int local_port() const { return local_port_; }

 private:
  absl::Status prepare_headers();
  absl::Status prepare_server_name();
  void prepare_method();
  void prepare_tls();
  void prepare_transport();

  bool take_header(std::string_view line);
  bool take_body(std::string_view bytes);
  void keep_body(std::string_view bytes);
  bool check_peer();
  void received();
  int status() const;
  absl::Status failure(absl::StatusCode code, std::string_view what) const;
  absl::Status timed_out() const;

  static size_t on_header(char* data, size_t size, size_t count, void* self);
  static size_t on_body(char* data, size_t size, size_t count, void* self);
  static int on_connected(void* self, char* peer, char* local, int peer_port, int local_port);
  static int on_socket(void* self, curl_socket_t socket, curlsocktype purpose);

  HttpRequest request_;
  const CurlOptions& options_;
  base::Clock& clock_;
  CurlEasy easy_;  // refers to what is below, and to request_
  std::unique_ptr<curl_slist, CurlSlistCleanup> header_list_;
  std::unique_ptr<curl_slist, CurlSlistCleanup> connect_to_;
  std::string url_;     // what libcurl gets; differs from the request's when a server name replaces the host
  std::string origin_;  // scheme://host:port, for messages: a query may hold secrets
  HttpResponse response_;
  uint64_t body_bytes_ = 0;
  absl::Status abort_;  // why one of our callbacks ended the transfer
  absl::Duration last_activity_;
  absl::Duration last_received_ = -absl::InfiniteDuration();
  int local_port_ = 0;
  bool abandoned_ = false;
  bool head_seen_ = false;
  char error_[CURL_ERROR_SIZE] = {};
};

}  // namespace tidegate::net
