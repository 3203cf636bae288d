// BeastHttpServer as its clients see it, byte by byte over real sockets.
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/resource.h>

#include <utility>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "net/beast_http_server.h"
#include "net/certificate.h"

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::HasSubstr;
using testing::StartsWith;

// Answers the request's method, target and body size, unless a test sets another handler.
void echo(ServerRequest request, Responder respond) {
  ServerResponse response;
  response.body = request.method + " " + request.target + " " + std::to_string(request.body.size());
  respond(std::move(response));
}

class World {
 public:
  explicit World(HttpServerOptions options = {}, Handler handler = echo, std::optional<ServerTls> tls = {}) {
    options.address = "127.0.0.1";
    auto made = make_beast_http_server(context_, options, tls, std::move(handler));
    EXPECT_TRUE(made.ok()) << made.status();
    server = *std::move(made);
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~World() {
    server.reset();
    context_.stop();
    for (auto& thread : threads_) thread.join();
  }
  std::unique_ptr<HttpServer> server;

 private:
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_{context_.get_executor()};
  std::vector<std::thread> threads_;
};

// A blocking client.
class Client {
 public:
  explicit Client(const World& world) { socket_.connect({asio::ip::make_address("127.0.0.1"), world.server->port()}); }
  void send(std::string_view text) { asio::write(socket_, asio::buffer(text.data(), text.size())); }
  // One answer: head and as much body as its Content-Length says. What came so far if the connection ends.
  std::string receive() {
    boost::system::error_code error;
    size_t head = asio::read_until(socket_, asio::dynamic_buffer(input_), "\r\n\r\n", error);
    if (error) return std::exchange(input_, "");
    size_t at = input_.find("Content-Length: ");
    size_t total = head + (at < head ? std::stoul(input_.substr(at + 16)) : 0);
    if (input_.size() < total)
      asio::read(socket_, asio::dynamic_buffer(input_), asio::transfer_exactly(total - input_.size()), error);
    std::string answer = input_.substr(0, total);
    input_.erase(0, total);
    return answer;
  }
  std::string ask(std::string_view text) {
    send(text);
    return receive();
  }
  // Whether the server ended the connection. Blocks until it does or sends more.
  bool ended() {
    boost::system::error_code error;
    char byte;
    return input_.empty() && asio::read(socket_, asio::buffer(&byte, 1), error) == 0;
  }

 private:
  asio::io_context context_;
  tcp::socket socket_{context_};
  std::string input_;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(BeastHttpServer, AnswersManyRequestsOnOneConnection) {
  World world;
  Client client(world);
  for (int i = 0; i < 100; ++i) EXPECT_THAT(client.ask(kGet), testing::EndsWith("GET /a 0"));
  EXPECT_THAT(client.ask("POST /b?c=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"),
              testing::EndsWith("POST /b?c=1 5"));
  EXPECT_THAT(client.ask("POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
              testing::EndsWith("POST /b 3"));
}

TEST(BeastHttpServer, AnswersPipelinedRequestsInTheirOrder) {
  World world;
  Client client(world);
  std::string many;
  for (int i = 0; i < 50; ++i) many += "GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
  client.send(many);
  for (int i = 0; i < 50; ++i) EXPECT_THAT(client.receive(), HasSubstr("GET /" + std::to_string(i) + " 0"));
}

TEST(BeastHttpServer, ReadsABodyOfManyPiecesAndTheRequestBehindIt) {
  World world;
  Client client(world);
  constexpr size_t kBytes = 3'000'000;
  client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(kBytes) + "\r\n\r\n" +
              std::string(kBytes, 'x') + std::string(kGet));
  EXPECT_THAT(client.receive(), testing::EndsWith("POST /a 3000000"));
  EXPECT_THAT(client.receive(), testing::EndsWith("GET /a 0"));
}

// Larger than what the kernel takes at once.
void answer_at_length(ServerRequest, Responder respond) { respond(ServerResponse{.body = std::string(64 << 20, 'x')}); }

TEST(BeastHttpServer, WritesAnAnswerThatTheKernelDoesNotTakeAtOnce) {
  World world({}, answer_at_length);
  Client client(world);
  for (int i = 0; i < 2; ++i) {
    const std::string answer = client.ask(kGet);
    EXPECT_EQ(answer.size() - answer.find("\r\n\r\n") - 4, size_t{64} << 20);
  }
}

TEST(BeastHttpServer, EndsTheConnectionWhenTheClientAsksForIt) {
  World world;
  Client client(world);
  EXPECT_THAT(client.ask("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), HasSubstr("Connection: close"));
  EXPECT_TRUE(client.ended());
  Client old(world);
  EXPECT_THAT(old.ask("GET / HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 200"));
  EXPECT_TRUE(old.ended());
}

TEST(BeastHttpServer, AnswersHeadWithoutABody) {
  World world;
  Client client(world);
  client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  client.send(kGet);
  boost::system::error_code ignored;
  std::string head = client.receive();
  EXPECT_THAT(head, HasSubstr("Content-Length: 9"));
}

TEST(BeastHttpServer, TellsAClientThatAsksFirstToGoOn) {
  World world;
  Client client(world);
  EXPECT_THAT(client.ask("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"),
              StartsWith("HTTP/1.1 100"));
  EXPECT_THAT(client.ask("ab"), testing::EndsWith("POST / 2"));
  Client old(world);
  EXPECT_THAT(old.ask("POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nab"),
              StartsWith("HTTP/1.0 200"))
      << "which knows no interim answers";
}

TEST(BeastHttpServer, RefusesTooLargeAndMalformedRequestsAndGoesOnServingOthers) {
  World world({.max_body_bytes = 10, .max_header_bytes = 200});
  for (auto [request, status] : std::initializer_list<std::pair<std::string, std::string>>{
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", "HTTP/1.1 413"},
           {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n", "HTTP/1.1 400"},
           {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n", "HTTP/1.1 413"},
           {"GET / HTTP/1.1\r\nX: " + std::string(300, 'x') + "\r\n\r\n", "HTTP/1.1 431"},
           {"GET\r\n\r\n", "HTTP/1.1 400"},
           {"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400"}}) {
    Client client(world);
    EXPECT_THAT(client.ask(request), StartsWith(status)) << request;
    EXPECT_TRUE(client.ended()) << request;
  }
  Client good(world);
  EXPECT_THAT(good.ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST(BeastHttpServer, EndsConnectionsThatAreIdleOrTooSlow) {
  World world({.idle_timeout = absl::Milliseconds(50), .read_timeout = absl::Milliseconds(50)});
  Client idle(world);
  EXPECT_TRUE(idle.ended());
  Client slow(world);
  slow.send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(slow.ended());
}

TEST(BeastHttpServer, EndsConnectionsThatDoNotTakeTheirAnswer) {
  std::promise<void> asked, drained;
  World world({.write_timeout = absl::Milliseconds(50)}, [&asked](ServerRequest request, Responder respond) {
    answer_at_length(std::move(request), std::move(respond));
    asked.set_value();
  });
  Client deaf(world);
  deaf.send(kGet);
  asked.get_future().wait();
  world.server->drain([&drained] { drained.set_value(); });
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(BeastHttpServer, SendsFiveHundredForARequestThatItsHandlerLost) {
  World world({}, [](ServerRequest, Responder) {});
  Client client(world);
  EXPECT_THAT(client.ask(kGet), StartsWith("HTTP/1.1 500"));
}

// Holds requests until the test releases them.
struct Held {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Responder> waiting;
  Handler handler() {
    return [this](ServerRequest, Responder respond) {
      std::lock_guard lock(mutex);
      waiting.push_back(std::move(respond));
      changed.notify_all();
    };
  }
  Responder take() {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [this] { return !waiting.empty(); }));
    Responder one = std::move(waiting.back());
    waiting.pop_back();
    return one;
  }
};

TEST(BeastHttpServer, AnswersFromAnotherThreadLater) {
  Held held;
  World world({}, held.handler());
  Client client(world);
  client.send(kGet);
  held.take()(ServerResponse{.status = 202, .body = "later"});
  EXPECT_THAT(client.receive(), testing::AllOf(StartsWith("HTTP/1.1 202"), testing::EndsWith("later")));
}

TEST(BeastHttpServer, EvictsWhomItNeverAnsweredFirstAndThenWhoKeepsItWaitingLongest) {
  World world({.max_connections = 3, .evict_when_full = true});
  auto stranger = std::make_unique<Client>(world);
  auto first = std::make_unique<Client>(world);
  EXPECT_THAT(first->ask(kGet), StartsWith("HTTP/1.1 200"));
  auto second = std::make_unique<Client>(world);
  EXPECT_THAT(second->ask(kGet), StartsWith("HTTP/1.1 200"));
  auto third = std::make_unique<Client>(world);
  EXPECT_THAT(third->ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(stranger->ended());
  EXPECT_THAT(first->ask(kGet), StartsWith("HTTP/1.1 200")) << "now the second one has been silent for longest";
  Client fourth(world);
  EXPECT_THAT(fourth.ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(second->ended());
  EXPECT_THAT(first->ask(kGet), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(third->ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST(BeastHttpServer, EvictsAlsoWhoIsInTheMiddleOfARequestButNobodyWhoIsBeingAnswered) {
  Held held;
  World world({.max_connections = 2, .evict_when_full = true}, held.handler());
  Client busy(world);
  busy.send(kGet);
  Responder answer = held.take();
  Client slow(world);
  slow.send("GET / HTTP/1.1\r\nHo");
  Client next(world);
  next.send(kGet);
  Responder next_answer = held.take();
  EXPECT_TRUE(slow.ended());
  next_answer(ServerResponse{.body = "next"});
  EXPECT_THAT(next.receive(), testing::EndsWith("next"));
  answer(ServerResponse{.body = "busy"});
  EXPECT_THAT(busy.receive(), testing::EndsWith("busy"));
}

TEST(BeastHttpServer, DrainsByAnsweringWhatIsInFlightAndClosingTheRest) {
  Held held;
  World world({}, held.handler());
  Client busy(world), idle(world);
  busy.send(kGet);
  Responder respond = held.take();
  std::mutex mutex;
  std::condition_variable changed;
  bool drained = false;
  world.server->drain([&] {
    std::lock_guard lock(mutex);
    drained = true;
    changed.notify_all();
  });
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(drained);
  respond(ServerResponse{.body = "done"});
  std::string answer = busy.receive();
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, testing::EndsWith("done"));
  EXPECT_TRUE(busy.ended());
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return drained; }));
  EXPECT_THROW(Client late(world), boost::system::system_error);
}

TEST(BeastHttpServer, DrainsWithoutPeersThatTakeTooLongForTheRestOfTheirRequest) {
  World world({.drain_patience = absl::Milliseconds(50)});
  Client slow(world), also_slow(world);
  slow.send("GET / HTTP/1.1\r\nHo");
  also_slow.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe");
  std::promise<void> drained;
  world.server->drain([&drained] { drained.set_value(); });
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(slow.ended());
  EXPECT_TRUE(also_slow.ended());
}

// A connection that never gets to the end of its request, a byte at a time.
class SlowClient {
 public:
  SlowClient(const World& world, asio::io_context& context) : socket_(context) {
    socket_.connect({asio::ip::make_address("127.0.0.1"), world.server->port()});
    socket_.non_blocking(true);
    asio::write(socket_, asio::buffer(std::string_view("POST / HTTP/1.1\r\nX: ")));
  }
  // Sends one more byte; false once the server has ended the connection.
  bool go_on() {
    boost::system::error_code error;
    char byte = 'a';
    asio::write(socket_, asio::buffer(&byte, 1), error);
    if (!error) socket_.read_some(asio::buffer(&byte, 1), error);
    return error == asio::error::would_block;
  }

 private:
  tcp::socket socket_;
};

TEST(BeastHttpServer, GoesOnAnsweringOthersWhileAThousandConnectionsSendAByteNowAndThen) {
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
  World world({.read_timeout = absl::Seconds(1)});
  asio::io_context context;
  std::vector<std::unique_ptr<SlowClient>> slow;
  for (int i = 0; i < 1000; ++i) slow.push_back(std::make_unique<SlowClient>(world, context));
  Client patient(world);
  int answers = 0;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (!slow.empty() && absl::Now() < deadline) {
    ASSERT_THAT(patient.ask(kGet), StartsWith("HTTP/1.1 200")) << answers;
    ASSERT_THAT(Client(world).ask(kGet), StartsWith("HTTP/1.1 200")) << answers;
    ++answers;
    std::erase_if(slow, [](const auto& one) { return !one->go_on(); });
  }
  EXPECT_TRUE(slow.empty()) << slow.size() << " are still open: each byte gave them more time";
  EXPECT_GT(answers, 1);
}

TEST(BeastHttpServer, AnnouncesTheCloseButStillAnswers) {
  World world;
  Client client(world);
  EXPECT_THAT(client.ask(kGet), testing::Not(HasSubstr("Connection: close")));
  world.server->announce_close();
  EXPECT_THAT(client.ask(kGet), HasSubstr("Connection: close"));
  EXPECT_TRUE(client.ended());
  Client late(world);
  EXPECT_THAT(late.ask(kGet), StartsWith("HTTP/1.1 200"));
}

TEST(BeastHttpServer, NamesThePortThatIsTaken) {
  World world;
  asio::io_context context;
  auto second = make_beast_http_server(context, {.address = "127.0.0.1", .port = world.server->port()}, {}, echo);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(second.status().message(), HasSubstr("127.0.0.1:" + std::to_string(world.server->port())));
}

struct TestAuthority {
  KeyPair own = make_authority({.common_name = "test", .now = absl::Now()}).value();
  KeyPair issue(std::string name) {
    LeafRequest request{.common_name = name, .dns_names = {name}, .ip_addresses = {"127.0.0.1"}, .now = absl::Now()};
    return net::issue(own, request).value();
  }
};

// The common name that the server presents; what went wrong if it does not answer.
std::string presented_name(const World& world, const TestAuthority& authority, const KeyPair* client = nullptr) {
  asio::io_context context;
  asio::ssl::context tls(asio::ssl::context::tls_client);
  tls.add_certificate_authority(asio::buffer(authority.own.certificate_pem));
  tls.set_verify_mode(asio::ssl::verify_peer);
  if (client) {
    tls.use_certificate_chain(asio::buffer(client->certificate_pem));
    tls.use_private_key(asio::buffer(client->private_key_pem), asio::ssl::context::pem);
  }
  asio::ssl::stream<tcp::socket> stream(context, tls);
  stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), world.server->port()});
  boost::system::error_code error;
  stream.handshake(asio::ssl::stream_base::client, error);
  if (!error) asio::write(stream, asio::buffer(kGet.data(), kGet.size()), error);
  std::string answer;
  if (!error) asio::read_until(stream, asio::dynamic_buffer(answer), "GET /a 0", error);
  if (error) return error.message();
  X509* certificate = SSL_get_peer_certificate(stream.native_handle());
  char name[64] = {};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, sizeof name);
  X509_free(certificate);
  return name;
}

TEST(BeastHttpServer, PresentsANewCertificateToNewConnectionsOnceItIsReplaced) {
  TestAuthority authority;
  KeyPair first = authority.issue("first"), second = authority.issue("second");
  World world({}, echo, ServerTls{first.certificate_pem, first.private_key_pem, ""});
  EXPECT_EQ(presented_name(world, authority), "first");
  EXPECT_EQ(world.server->replace_tls({first.certificate_pem, second.private_key_pem, ""}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.server->replace_tls({"no pem", second.private_key_pem, ""}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(presented_name(world, authority), "first") << "a certificate that is not usable changes nothing";
  EXPECT_TRUE(world.server->replace_tls({second.certificate_pem, second.private_key_pem, ""}).ok());
  EXPECT_EQ(presented_name(world, authority), "second");
}

TEST(BeastHttpServer, WithAClientAuthorityAnswersOnlyThoseItSigned) {
  TestAuthority authority, stranger;
  KeyPair own = authority.issue("server"), friendly = authority.issue("friend"), foreign = stranger.issue("stranger");
  World world({}, echo, ServerTls{own.certificate_pem, own.private_key_pem, authority.own.certificate_pem});
  EXPECT_EQ(presented_name(world, authority, &friendly), "server");
  EXPECT_NE(presented_name(world, authority, &foreign), "server");
  EXPECT_NE(presented_name(world, authority), "server");
}

TEST(ServerRequest, FindsHeadersWhateverTheirCase) {
  ServerRequest request;
  request.headers = {{"Content-Type", "x"}};
  EXPECT_EQ(request.header("content-TYPE"), "x");
  EXPECT_EQ(request.header("accept"), "");
}

TEST(ServerRequest, HasAPathWhicheverFormItsTargetHas) {
  const auto path = [](const char* target) {
    ServerRequest request;
    request.target = target;
    return std::string(request.path());
  };
  EXPECT_EQ(path("/a?b"), "/a");
  EXPECT_EQ(path("/a://b/c"), "/a://b/c");
  EXPECT_EQ(path("http://host:8501/v2/models/m?x=http://y/z"), "/v2/models/m");
  EXPECT_EQ(path("http://host"), "/");
  EXPECT_EQ(path("*"), "*");
}

}  // namespace
}  // namespace tidegate::net
