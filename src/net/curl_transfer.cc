#include "net/curl_transfer.h"

#include <absl/strings/ascii.h>
#include <absl/strings/escaping.h>
#include <absl/strings/match.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "net/tls_peer.h"

namespace tidegate::net {
namespace {

// A connection whose peer has not acknowledged our bytes for this long is dead.
constexpr int kTcpUserTimeoutMs = 20'000;
constexpr long kKeepAliveIdleSeconds = 15;
constexpr size_t kPieceBytes = 256 << 10;
constexpr long kKeepAliveIntervalSeconds = 5;

// libcurl's 0 means its own default or none.
long to_milliseconds(absl::Duration duration) {
  if (duration == absl::InfiniteDuration()) return 0;
  return std::max<long>(1, std::min<int64_t>(absl::ToInt64Milliseconds(duration), 1'000'000'000));
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

// `text` must outlive the easy handle's options; connections have copies of their own.
curl_blob blob_of(const std::string& text) {
  return curl_blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
}

struct CurlUrlCleanup {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace

CurlTransfer::CurlTransfer(HttpRequest request, CurlEasy easy, const CurlOptions& options, base::Clock& clock)
    : request_(std::move(request)),
      options_(options),
      clock_(clock),
      easy_(std::move(easy)),
      url_(request_.url),
      last_activity_(clock.uptime()) {}

absl::Status CurlTransfer::prepare() {
  std::unique_ptr<CURLU, CurlUrlCleanup> url(curl_url());
  const CURLUcode parsed = curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), CURLU_PATH_AS_IS);
  const std::string scheme = parsed == CURLUE_OK ? url_part(url.get(), CURLUPART_SCHEME) : "";
  if ((scheme != "http" && scheme != "https") || has_control_character(request_.url)) {
    return absl::InvalidArgumentError(base::cat("not an http(s) URL: '", request_.url.substr(0, 200), "'"));
  }
  origin_ = base::cat(scheme, "://", url_part(url.get(), CURLUPART_HOST), ":",
                      url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
  if (absl::Status status = prepare_server_name(); !status.ok()) return status;
  if (absl::Status status = prepare_headers(); !status.ok()) return status;
  prepare_method();
  prepare_transport();
  if (scheme == "https") prepare_tls();
  return absl::OkStatus();
}

// libcurl verifies, and offers by SNI, the host of the URL. To demand another name we put that name into the URL and
// connect to the original host all the same; the Host header stays what it was.
absl::Status CurlTransfer::prepare_server_name() {
  if (!request_.tls || request_.tls->server_name.empty()) return absl::OkStatus();
  std::unique_ptr<CURLU, CurlUrlCleanup> url(curl_url());
  curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), CURLU_PATH_AS_IS);
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  const std::string port = url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (curl_url_set(url.get(), CURLUPART_HOST, request_.tls->server_name.c_str(), 0) != CURLUE_OK) {
    return absl::InvalidArgumentError(base::cat("not a TLS server name: '", request_.tls->server_name, "'"));
  }
  url_ = url_part(url.get(), CURLUPART_URL);
  connect_to_.reset(
      curl_slist_append(nullptr, base::cat(request_.tls->server_name, ":", port, ":", host, ":", port).c_str()));
  curl_easy_setopt(easy(), CURLOPT_CONNECT_TO, connect_to_.get());
  const bool has_host = std::any_of(request_.headers.begin(), request_.headers.end(),
                                    [](const auto& header) { return absl::EqualsIgnoreCase(header.first, "host"); });
  if (!has_host) request_.headers.emplace_back("host", base::cat(host, ":", port));
  return absl::OkStatus();
}

absl::Status CurlTransfer::prepare_headers() {
  bool has_content_type = false, has_encoding = false, has_agent = false;
  curl_slist* list = curl_slist_append(nullptr, "expect:");
  for (const auto& [name, value] : request_.headers) {
    if (name.empty() || has_control_character(name) || has_control_character(value) ||
        name.find(':') != std::string::npos) {
      curl_slist_free_all(list);
      return absl::InvalidArgumentError(base::cat("header '", absl::CHexEscape(name), "' is malformed"));
    }
    has_content_type |= absl::EqualsIgnoreCase(name, "content-type");
    has_encoding |= absl::EqualsIgnoreCase(name, "accept-encoding");
    has_agent |= absl::EqualsIgnoreCase(name, "user-agent");
    // A header with an empty value is spelled "name;".
    list = curl_slist_append(list, value.empty() ? base::cat(name, ";").c_str() : base::cat(name, ": ", value).c_str());
  }
  if (!has_content_type) list = curl_slist_append(list, "content-type:");
  header_list_.reset(list);
  curl_easy_setopt(easy(), CURLOPT_HTTPHEADER, list);
  if (!has_encoding) curl_easy_setopt(easy(), CURLOPT_ACCEPT_ENCODING, "gzip");
  if (!has_agent) curl_easy_setopt(easy(), CURLOPT_USERAGENT, options_.user_agent.c_str());
  return absl::OkStatus();
}

void CurlTransfer::prepare_method() {
  const bool sends_body =
      !request_.body.empty() || request_.method == "POST" || request_.method == "PUT" || request_.method == "PATCH";
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy(), CURLOPT_NOBODY, 1L);
  } else if (sends_body) {
    curl_easy_setopt(easy(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy(), CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method != "HEAD") curl_easy_setopt(easy(), CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void CurlTransfer::prepare_transport() {
  CURL* curl = easy();
  curl_easy_setopt(curl, CURLOPT_URL, url_.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // Giving up on a name look-up must not wait for its thread.
  curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, to_milliseconds(request_.timeout));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, to_milliseconds(request_.connect_timeout));
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, options_.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, kKeepAliveIdleSeconds);
  curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, kKeepAliveIntervalSeconds);
  if (!options_.use_environment_proxy) curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, &CurlTransfer::on_socket);
  curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, &CurlTransfer::on_connected);
  curl_easy_setopt(curl, CURLOPT_PREREQDATA, this);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_PRIVATE, this);
}

void CurlTransfer::prepare_tls() {
  CURL* curl = easy();
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  // Rather wait for the handshake of a connection that may carry many requests than open more. Without TLS only the
  // first answer would tell, and a long one would hold up all others.
  curl_easy_setopt(curl, CURLOPT_PIPEWAIT, options_.http2 ? 1L : 0L);
  // A used handle would bring the session of an earlier request along, and with it what was verified then.
  curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  if (!request_.tls) return;
  const TlsOptions& tls = *request_.tls;
  if (!tls.ca_pem.empty()) {
    curl_blob blob = blob_of(tls.ca_pem);
    curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    // Else libcurl would trust the system's certificates as well.
    curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr);
  }
  if (!tls.certificate_pem.empty()) {
    curl_blob certificate = blob_of(tls.certificate_pem);
    curl_blob key = blob_of(tls.private_key_pem);
    curl_easy_setopt(curl, CURLOPT_SSLCERT_BLOB, &certificate);
    curl_easy_setopt(curl, CURLOPT_SSLKEY_BLOB, &key);
  }
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls.insecure_skip_verify ? 0L : 1L);
  const bool check_host = !tls.insecure_skip_verify && tls.server_uri_san.empty();
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, check_host ? 2L : 0L);
}

CurlEasy CurlTransfer::take_easy() {
  curl_easy_reset(easy());
  return std::move(easy_);
}

void CurlTransfer::received() { last_activity_ = last_received_ = clock_.uptime(); }

bool CurlTransfer::take_header(std::string_view line) {
  received();
  if (line.starts_with("HTTP/")) {  // 100 Continue comes before the real one
    response_.headers.clear();
    return true;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  response_.headers.emplace_back(absl::AsciiStrToLower(base::absl_view(line.substr(0, colon))),
                                 absl::StripAsciiWhitespace(base::absl_view(line.substr(colon + 1))));
  return true;
}

int CurlTransfer::status() const {
  long status = 0;
  curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  return static_cast<int>(status);
}

bool CurlTransfer::take_body(std::string_view bytes) {
  if (abandoned_) return false;
  received();
  response_.status = status();
  if (request_.on_chunk && response_.status / 100 == 2) {
    const bool head_is_welcome = head_seen_ || !request_.on_head || request_.on_head(response_);
    head_seen_ = true;
    if (head_is_welcome && request_.on_chunk(bytes)) return true;
    abort_ = failure(absl::StatusCode::kCancelled, "the receiver wants no more");
    return false;
  }
  body_bytes_ += bytes.size();
  if (body_bytes_ > request_.max_body_bytes) {
    abort_ = failure(absl::StatusCode::kResourceExhausted,
                     base::cat("the answer's body is larger than ", request_.max_body_bytes, " bytes"));
    return false;
  }
  keep_body(bytes);
  return true;
}

// A piece never grows beyond what it has reserved, so nothing that was kept is copied again.
void CurlTransfer::keep_body(std::string_view bytes) {
  if (!request_.body_in_pieces || response_.status / 100 != 2) {
    response_.body.append(bytes);
    return;
  }
  std::vector<std::string>& pieces = response_.pieces;
  if (pieces.empty() || pieces.back().size() + bytes.size() > pieces.back().capacity()) {
    pieces.emplace_back();
    pieces.back().reserve(std::max(kPieceBytes, bytes.size()));
  }
  pieces.back().append(bytes);
}

// Before every request, on a reused connection too: connections are shared by host, not by expected identity.
bool CurlTransfer::check_peer() {
  if (!request_.tls || request_.tls->server_uri_san.empty() || request_.tls->insecure_skip_verify) return true;
  curl_tlssessioninfo* session = nullptr;
  curl_easy_getinfo(easy(), CURLINFO_TLS_SSL_PTR, &session);
  const SSL* ssl = session ? static_cast<const SSL*>(session->internals) : nullptr;
  if (ssl && peer_has_uri_san(*ssl, request_.tls->server_uri_san)) return true;
  abort_ = failure(absl::StatusCode::kUnavailable,
                   base::cat("the server's certificate does not carry the identity ", request_.tls->server_uri_san));
  return false;
}

absl::Status CurlTransfer::failure(absl::StatusCode code, std::string_view what) const {
  return absl::Status(code, base::cat(request_.method, " ", origin_, ": ", what));
}

absl::Status CurlTransfer::stalled() const {
  return failure(absl::StatusCode::kUnavailable,
                 base::cat("no byte arrived for ", absl::FormatDuration(request_.stall_timeout)));
}

// libcurl has one code for the time of the whole exchange and that of connecting.
absl::Status CurlTransfer::timed_out() const {
  curl_off_t total_us = 0;
  curl_easy_getinfo(easy(), CURLINFO_TOTAL_TIME_T, &total_us);
  if (request_.timeout == absl::InfiniteDuration() ||
      absl::Microseconds(total_us) < request_.timeout - absl::Milliseconds(5)) {
    return failure(absl::StatusCode::kUnavailable,
                   base::cat("no connection within ", absl::FormatDuration(request_.connect_timeout)));
  }
  return failure(absl::StatusCode::kDeadlineExceeded,
                 base::cat("no complete answer within ", absl::FormatDuration(request_.timeout)));
}

CurlTransfer::Result CurlTransfer::result(CURLcode code) {
  if (!abort_.ok()) return abort_;
  if (code == CURLE_OPERATION_TIMEDOUT) return timed_out();
  if (code == CURLE_PARTIAL_FILE || code == CURLE_HTTP2_STREAM || code == CURLE_RECV_ERROR) {
    return failure(absl::StatusCode::kUnavailable,
                   base::cat("the connection broke before the whole answer had arrived (",
                             error_[0] ? error_ : curl_easy_strerror(code), ")"));
  }
  if (code != CURLE_OK) {
    return failure(absl::StatusCode::kUnavailable, error_[0] ? error_ : curl_easy_strerror(code));
  }
  response_.status = status();
  return std::move(response_);
}

size_t CurlTransfer::on_header(char* data, size_t size, size_t count, void* self) {
  return static_cast<CurlTransfer*>(self)->take_header({data, size * count}) ? size * count : 0;
}

size_t CurlTransfer::on_body(char* data, size_t size, size_t count, void* self) {
  // Anything but the number of bytes ends the transfer; an empty piece would read as success.
  return static_cast<CurlTransfer*>(self)->take_body({data, size * count}) ? size * count : CURL_WRITEFUNC_ERROR;
}

int CurlTransfer::on_connected(void* self, char*, char*, int, int local_port) {
  static_cast<CurlTransfer*>(self)->local_port_ = local_port;
  return static_cast<CurlTransfer*>(self)->check_peer() ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

int CurlTransfer::on_socket(void*, curl_socket_t socket, curlsocktype) {
  const int timeout = kTcpUserTimeoutMs;
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
  return CURL_SOCKOPT_OK;
}

}  // namespace tidegate::net
