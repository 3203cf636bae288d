// CurlHttpClient against an HTTP/2 server that answers before it has read the request, and then resets the stream
// (RFC 9113, 8.1), as an API server does with a request that it need not read: the answer counts.
#include <gtest/gtest.h>

#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>

#include <array>
#include <atomic>
#include <thread>

#include "base/strings.h"
#include "net/certificate.h"
#include "net/client_world.h"
#include "net/curl_http_client.h"

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
namespace ssl = boost::asio::ssl;
using asio::ip::tcp;

enum FrameType : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4 };
constexpr uint8_t kAck = 1, kEndStream = 1, kEndHeaders = 4;

struct Frame {
  uint8_t type = 0;
  uint8_t flags = 0;
  uint32_t stream = 0;
  std::string payload;
};

std::string number(uint32_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

// Before any of a request's body has come, or when the first of it has.
enum class When { kAtOnce, kAtItsBody };

// How far the answer has come when the stream is reset.
enum class Answer { kEnded, kWholeButNotEnded, kHalf };

// One connection, HTTP/2 frame by frame. Requests without a body are answered 200, others 404. No more of a body is
// ever read than what the client may send in its first window.
class EarlyServer {
 public:
  // `reset`: the code of the reset that follows the answer.
  EarlyServer(const KeyPair& own, When when, Answer answer, uint32_t reset)
      : when_(when), answer_(answer), reset_(reset) {
    tls_.use_certificate_chain(asio::buffer(own.certificate_pem));
    tls_.use_private_key(asio::buffer(own.private_key_pem), ssl::context::pem);
    SSL_CTX_set_alpn_select_cb(
        tls_.native_handle(),
        [](SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char*, unsigned, void*) {
          *chosen = reinterpret_cast<const unsigned char*>("h2");
          *length = 2;
          return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
    thread_ = std::thread([this] { serve(); });
  }
  ~EarlyServer() {
    ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
    if (connection_ >= 0) ::shutdown(connection_, SHUT_RDWR);
    thread_.join();
  }
  std::string url() const { return base::cat("https://127.0.0.1:", acceptor_.local_endpoint().port(), "/"); }

 private:
  using Stream = ssl::stream<tcp::socket>;

  void serve() {
    boost::system::error_code error;
    Stream stream(acceptor_.accept(error), tls_);
    connection_ = error ? -1 : stream.next_layer().native_handle();
    if (!error) stream.handshake(ssl::stream_base::server, error);
    std::array<char, 24> preface;
    if (!error) asio::read(stream, asio::buffer(preface), error);
    if (!error) write(stream, kSettings, 0, 0, "");
    uint32_t unanswered = 0;
    for (Frame frame; !error && read(stream, frame);) {
      if (frame.type == kSettings && !(frame.flags & kAck)) write(stream, kSettings, kAck, 0, "");
      if (frame.type == kHeaders && frame.flags & kEndStream) answer(stream, frame.stream, '\x88', "fine", true);
      const bool begins = frame.type == kHeaders && !(frame.flags & kEndStream);
      if (begins) unanswered = frame.stream;
      if ((begins && when_ == When::kAtOnce) || (frame.type == kData && frame.stream == unanswered)) {
        const std::string body = answer_ == Answer::kHalf ? "not" : "not there";
        answer(stream, std::exchange(unanswered, 0), '\x8d', body, answer_ == Answer::kEnded);
        write(stream, kReset, 0, frame.stream, number(reset_, 4));
      }
    }
  }

  static bool read(Stream& stream, Frame& frame) {
    std::array<unsigned char, 9> head;
    boost::system::error_code error;
    asio::read(stream, asio::buffer(head), error);
    if (error) return false;
    frame.type = head[3];
    frame.flags = head[4];
    frame.stream = static_cast<uint32_t>(head[5]) << 24 | head[6] << 16 | head[7] << 8 | head[8];
    frame.payload.resize(static_cast<size_t>(head[0]) << 16 | head[1] << 8 | head[2]);
    asio::read(stream, asio::buffer(frame.payload), error);
    return !error;
  }

  static void write(Stream& stream, FrameType type, uint8_t flags, uint32_t id, const std::string& payload) {
    boost::system::error_code error;
    const std::string text = number(static_cast<uint32_t>(payload.size()), 3) + static_cast<char>(type) +
                             static_cast<char>(flags) + number(id, 4) + payload;
    asio::write(stream, asio::buffer(text), error);
  }

  // `status` is HPACK's: an entry of the static table. The length is that of the whole body.
  static void answer(Stream& stream, uint32_t id, char status, const std::string& body, bool ends) {
    const std::string length = status == '\x88' ? "4" : "9";
    write(stream, kHeaders, kEndHeaders, id, std::string(1, status) + "\x0f\x0d\x01" + length);
    write(stream, kData, ends ? kEndStream : 0, id, body);
  }

  const When when_;
  const Answer answer_;
  const uint32_t reset_;
  asio::io_context context_;
  tcp::acceptor acceptor_{context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  ssl::context tls_{ssl::context::tls_server};
  std::atomic<int> connection_{-1};  // descriptor, to wake the thread at the end
  std::thread thread_;               // last: it uses all of the above
};

class EarlyAnswer : public testing::TestWithParam<uint32_t> {
 protected:
  Result ask(const EarlyServer& server, const std::string& method, size_t body) {
    HttpRequest request;
    request.method = method;
    request.url = server.url();
    request.body = std::string(body, 'x');
    request.tls = std::make_shared<TlsOptions>(TlsOptions{.insecure_skip_verify = true});
    request.timeout = absl::Seconds(10);
    return fetch_and_wait(request);
  }
  Result fetch_and_wait(HttpRequest request) { return world_.fetch_and_wait(client_, std::move(request)); }

  const KeyPair own_ = make_authority({.common_name = "early", .now = absl::Now()}).value();
  ClientWorld world_;
  CurlHttpClient client_{world_.loop.context(), world_.clock};
};

constexpr size_t kMoreThanAWindow = 200'000;

TEST_P(EarlyAnswer, CountsThoughTheRequestWasNotReadToItsEnd) {
  for (const When when : {When::kAtOnce, When::kAtItsBody}) {
    EarlyServer server(own_, when, Answer::kEnded, GetParam());
    for (const size_t size : {size_t{20}, size_t{20'000}, kMoreThanAWindow}) {
      Result result = ask(server, "PATCH", size);
      ASSERT_TRUE(result.ok()) << size << ": " << result.status();
      EXPECT_EQ(result->status, 404);
      EXPECT_EQ(result->body, "not there");
    }
    Result next = ask(server, "GET", 0);
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->body, "fine") << "on the same connection: the server takes no other";
  }
}

TEST_P(EarlyAnswer, CountsAsSoonAsItHasItsLength) {
  EarlyServer server(own_, When::kAtItsBody, Answer::kWholeButNotEnded, GetParam());
  Result result = ask(server, "PATCH", kMoreThanAWindow);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 404);
  EXPECT_EQ(result->body, "not there");
}

TEST_P(EarlyAnswer, DoesNotCountWhenItBreaksOffItself) {
  EarlyServer server(own_, When::kAtItsBody, Answer::kHalf, GetParam());
  Result result = ask(server, "PATCH", kMoreThanAWindow);
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
}

// NO_ERROR, STREAM_CLOSED: what Go's server sends when the rest of the request is not wanted, and when it comes all the
// same.
INSTANTIATE_TEST_SUITE_P(Resets, EarlyAnswer, testing::Values(0u, 5u));

}  // namespace
}  // namespace tidegate::net
