#include "net/curl_http_client.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/strings.h"
#include "net/client_world.h"
#include "net/scripted_server.h"
#include "net/threaded_http_client.h"

namespace tidegate::net {
namespace {

using ::testing::HasSubstr;
HttpRequest get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  return request;
}

// Both clients promise the same.
class HttpClients : public testing::TestWithParam<bool> {
 protected:
  HttpClients() {
    if (GetParam()) {
      client = std::make_unique<ThreadedHttpClient>(world.loop);
    } else {
      client = std::make_unique<CurlHttpClient>(world.loop.context(), world.clock);
    }
  }
  Result ask(HttpRequest request) { return world.fetch_and_wait(*client, std::move(request)); }

  ClientWorld world;
  std::unique_ptr<HttpClient> client;
};

INSTANTIATE_TEST_SUITE_P(Curl, HttpClients, testing::Bool(),
                         [](const auto& info) { return info.param ? "OnItsOwnThread" : "OnTheLoop"; });

bool respond_with_request(const ScriptedRequest& request, ScriptedConnection& connection) {
  std::string text = base::cat(request.method, " ", request.target, "\n");
  for (const auto& [name, value] : request.headers) text += base::cat(name, ": ", value, "\n");
  return connection.respond(200, base::cat(text, "\n", request.body), "X-Test: a\r\nX-Test: b\r\n");
}

TEST_P(HttpClients, SendExactlyTheRequestTheyAreGiven) {
  ScriptedServer server(respond_with_request);
  HttpRequest request = get(server.url() + "/a/../b//c%2Fd?x=%20y");
  request.method = "PATCH";
  request.headers = {{"content-type", "application/apply-patch+yaml"}, {"X-Empty", ""}};
  request.body = "{}";
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 200);
  EXPECT_THAT(result->body, HasSubstr("PATCH /a/../b//c%2Fd?x=%20y\n"));
  EXPECT_THAT(result->body, HasSubstr("content-type: application/apply-patch+yaml\n"));
  EXPECT_THAT(result->body, HasSubstr("x-empty: \n"));
  EXPECT_THAT(result->body, HasSubstr("user-agent: tidegate/"));
  EXPECT_THAT(result->body, HasSubstr("accept-encoding: gzip\n"));
  EXPECT_THAT(result->body, testing::Not(HasSubstr("expect")));
  EXPECT_THAT(result->body, testing::EndsWith("\n{}"));
  EXPECT_EQ(result->header("x-test"), "a");
  EXPECT_EQ(result->header("absent"), "");
}

TEST_P(HttpClients, SendNoContentTypeOfTheirOwnAndAnEmptyBodyWithItsLength) {
  ScriptedServer server(respond_with_request);
  HttpRequest request = get(server.url() + "/");
  request.method = "POST";
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->body, HasSubstr("content-length: 0\n"));
  EXPECT_THAT(result->body, testing::Not(HasSubstr("content-type")));
}

TEST_P(HttpClients, KeepNothingOfAnEarlierRequest) {
  ScriptedServer server(respond_with_request);
  HttpRequest first = get(server.url() + "/first");
  first.method = "POST";
  first.headers = {{"x-first", "1"}, {"accept-encoding", "identity"}, {"user-agent", "somebody"}};
  first.body = "much";
  first.timeout = absl::Seconds(1);
  ASSERT_TRUE(ask(first).ok());
  for (const char* method : {"GET", "PUT"}) {
    HttpRequest second = get(server.url() + "/second");
    second.method = method;
    Result result = ask(second);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->body, testing::StartsWith(base::cat(method, " /second\n")));
    EXPECT_THAT(result->body, testing::Not(HasSubstr("x-first")));
    EXPECT_THAT(result->body, testing::Not(HasSubstr("much")));
    EXPECT_THAT(result->body, HasSubstr("user-agent: tidegate/"));
    EXPECT_THAT(result->body, HasSubstr("accept-encoding: gzip\n"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(HttpClients, SendABodyAgainAfterARequestThatHasNone) {
  ScriptedServer server([](const auto& request, auto& connection) {
    if (request.method == "HEAD") return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    return respond_with_request(request, connection);
  });
  HttpRequest head = get(server.url() + "/");
  head.method = "HEAD";
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(ask(head).ok());
    HttpRequest post = get(server.url() + "/");
    post.method = "POST";
    post.body = "body";
    Result result = ask(post);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_THAT(result->body, testing::EndsWith("\nbody"));
  }
}

TEST_P(HttpClients, ReuseTheConnection) {
  ScriptedServer server(respond_with_request);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(get(server.url() + "/")).ok());
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(HttpClients, ReturnErrorStatusesAsAnswersWithTheirBody) {
  ScriptedServer server([](const auto&, auto& connection) { return connection.respond(403, "no"); });
  HttpRequest request = get(server.url() + "/");
  request.on_chunk = [](std::string_view) {
    ADD_FAILURE() << "an error's body is no chunk";
    return true;
  };
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 403);
  EXPECT_EQ(result->body, "no");
}

TEST_P(HttpClients, ServeAHeadRequest) {
  ScriptedServer server([](const auto& request, auto& connection) {
    EXPECT_EQ(request.method, "HEAD");
    return connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\nETag: \"x\"\r\n\r\n");
  });
  HttpRequest request = get(server.url() + "/");
  request.method = "HEAD";
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->header("content-length"), "1234");
  EXPECT_EQ(result->header("etag"), "\"x\"");
  EXPECT_EQ(result->body, "");
}

TEST_P(HttpClients, KeepALargeBodyInPiecesWhenAskedTo) {
  std::string body;
  while (body.size() < 2'000'000) body += base::cat(body.size(), ",");
  ScriptedServer server([&](const auto& request, auto& connection) {
    return connection.respond(request.target == "/missing" ? 404 : 200, body);
  });
  HttpRequest request = get(server.url() + "/");
  request.body_in_pieces = true;
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->body, "");
  EXPECT_GT(result->pieces.size(), 4u);
  std::string joined;
  for (const std::string& piece : result->pieces) joined += piece;
  EXPECT_TRUE(joined == body);

  request.url = server.url() + "/missing";
  Result missing = ask(request);
  ASSERT_TRUE(missing.ok()) << missing.status();
  EXPECT_TRUE(missing->body == body) << "an error is read where it came";
  EXPECT_TRUE(missing->pieces.empty());

  request.url = server.url() + "/";
  request.max_body_bytes = body.size() - 1;
  EXPECT_TRUE(absl::IsResourceExhausted(ask(request).status()));
}

// The second piece is sent only after the first has been seen, so they cannot have come together.
TEST_P(HttpClients, HandOverEachPieceOfAStreamAsItArrives) {
  std::atomic<bool> first_seen{false};
  ScriptedServer server([&](const auto&, auto& connection) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    const absl::Time give_up = absl::Now() + absl::Seconds(10);
    while (!first_seen && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
    return connection.write("6\r\nsecond\r\n0\r\n\r\n");
  });
  std::vector<std::string> pieces;
  HttpRequest request = get(server.url() + "/");
  request.timeout = absl::InfiniteDuration();
  request.max_body_bytes = 1;
  request.on_chunk = [&](std::string_view bytes) {
    pieces.emplace_back(bytes);
    first_seen = true;
    return true;
  };
  Result result = ask(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(pieces, testing::ElementsAre("first", "second"));
  EXPECT_EQ(result->body, "");
}

TEST_P(HttpClients, ShowTheHeadBeforeTheFirstChunkAndLetItBeRefused) {
  ScriptedServer server(respond_with_request);
  for (bool welcome : {true, false}) {
    std::string seen;
    HttpRequest request = get(server.url() + "/");
    request.on_head = [&](const HttpResponse& head) {
      seen += base::cat(head.status, " ", head.header("x-test"), ",");
      return welcome;
    };
    request.on_chunk = [&](std::string_view) {
      seen += "chunk";
      return true;
    };
    Result result = ask(request);
    EXPECT_EQ(result.status().code(), welcome ? absl::StatusCode::kOk : absl::StatusCode::kCancelled);
    EXPECT_EQ(seen, welcome ? "200 a,chunk" : "200 a,");
  }
}

TEST_P(HttpClients, EndTheRequestWhenTheReceiverWantsNoMore) {
  ScriptedServer server([](const auto&, auto& connection) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (connection.write("5\r\nagain\r\n")) absl::SleepFor(absl::Milliseconds(1));
    return false;
  });
  int pieces = 0;
  HttpRequest request = get(server.url() + "/");
  request.on_chunk = [&](std::string_view) { return ++pieces < 2; };
  Result result = ask(request);
  EXPECT_TRUE(absl::IsCancelled(result.status())) << result.status();
  EXPECT_EQ(pieces, 2);
}

TEST_P(HttpClients, EndAtTheTimeout) {
  ScriptedServer server([](const auto&, auto& connection) {
    connection.wait_for_close();
    return false;
  });
  HttpRequest request = get(server.url() + "/slow?secret=1");
  request.timeout = absl::Milliseconds(50);
  Result result = ask(request);
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.status())) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(base::cat("GET ", server.url())));
  EXPECT_THAT(std::string(result.status().message()), testing::Not(HasSubstr("secret")));
}

TEST_P(HttpClients, EndWhenTheServerFallsSilent) {
  ScriptedServer server([](const auto&, auto& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome bytes");
    connection.wait_for_close();
    return false;
  });
  HttpRequest request = get(server.url() + "/");
  request.stall_timeout = absl::Milliseconds(100);
  Result result = ask(request);
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("no byte arrived for 100ms"));
}

TEST_P(HttpClients, ReportAConnectionThatBreaksInTheBody) {
  for (bool by_reset : {false, true}) {
    ScriptedServer server([&](const auto&, auto& connection) {
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome bytes");
      if (by_reset) connection.reset();
      return false;
    });
    Result result = ask(get(server.url() + "/"));
    EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("before the whole answer"));
  }
}

TEST_P(HttpClients, ReportAServerThatIsNotThere) {
  std::string url;
  {
    ScriptedServer server(respond_with_request);
    url = server.url();
  }
  Result result = ask(get(url + "/"));
  EXPECT_TRUE(absl::IsUnavailable(result.status())) << result.status();
  EXPECT_THAT(std::string(result.status().message()), HasSubstr(url));
}

TEST_P(HttpClients, RefuseABodyBeyondTheLimit) {
  ScriptedServer server([](const auto&, auto& connection) { return connection.respond(200, std::string(2000, 'x')); });
  HttpRequest request = get(server.url() + "/");
  request.max_body_bytes = 2000;
  EXPECT_TRUE(ask(request).ok());
  request.max_body_bytes = 1999;
  Result result = ask(request);
  EXPECT_TRUE(absl::IsResourceExhausted(result.status())) << result.status();
}

TEST_P(HttpClients, RefuseWhatCannotBeSent) {
  for (std::string url : {"", "ftp://127.0.0.1/", "http://", "http://127.0.0.1/\nx", "not a url"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ask(get(url)).status())) << url;
  }
  HttpRequest request = get("http://127.0.0.1:1/");
  request.headers = {{"x", "a\r\ny: b"}};
  EXPECT_TRUE(absl::IsInvalidArgument(ask(request).status()));
}

TEST_P(HttpClients, EndAtOnceWhenTheScopeIsCancelled) {
  std::atomic<bool> closed{false};
  ScriptedServer server([&](const auto&, auto& connection) {
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    connection.wait_for_close();
    closed = true;
    return false;
  });
  bool started = false;
  std::optional<Result> result;
  HttpRequest request = get(server.url() + "/");
  request.timeout = absl::InfiniteDuration();
  request.on_chunk = [&](std::string_view) { return started = true; };
  world.loop.spawn(fetch(client.get(), request, &world.scope, &result));
  ASSERT_TRUE(world.run_until([&] { return started; }));
  world.scope.cancel();
  ASSERT_TRUE(world.run_until([&] { return result.has_value(); }));
  EXPECT_TRUE(absl::IsCancelled(result->status()));
  EXPECT_TRUE(world.run_until([&] { return closed.load(); })) << "the connection must not stay open";
  EXPECT_TRUE(absl::IsCancelled(ask(get(server.url() + "/")).status())) << "a cancelled scope starts nothing";
}

TEST_P(HttpClients, MayBeCancelledAndAskedAgainFromWithinAChunk) {
  ScriptedServer server([](const auto& request, auto& connection) {
    if (request.target == "/second") return connection.respond(200, "second");
    connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    connection.wait_for_close();
    return false;
  });
  base::Scope first_scope;
  std::optional<Result> first, second;
  HttpRequest request = get(server.url() + "/first");
  request.on_chunk = [&](std::string_view) {
    first_scope.cancel();
    world.loop.spawn(fetch(client.get(), get(server.url() + "/second"), &world.scope, &second));
    return true;
  };
  world.loop.spawn(fetch(client.get(), request, &first_scope, &first));
  ASSERT_TRUE(world.run_until([&] { return first && second; }));
  EXPECT_TRUE(absl::IsCancelled(first->status()));
  ASSERT_TRUE(second->ok()) << second->status();
  EXPECT_EQ((*second)->body, "second");
}

TEST_P(HttpClients, EndWhatIsRunningWhenTheyAreDestroyed) {
  std::atomic<int> waiting{0};
  ScriptedServer server([&](const auto&, auto& connection) {
    ++waiting;
    connection.wait_for_close();
    return false;
  });
  std::optional<Result> result;
  world.loop.spawn(fetch(client.get(), get(server.url() + "/"), &world.scope, &result));
  ASSERT_TRUE(world.run_until([&] { return waiting == 1; }));
  client.reset();
  ASSERT_TRUE(world.run_until([&] { return result.has_value(); }));
  EXPECT_TRUE(absl::IsCancelled(result->status())) << result->status();
}

// Every answer waits until all requests are there.
TEST_P(HttpClients, RunManyRequestsAtOnce) {
  constexpr int kRequests = 10;
  std::atomic<int> arrived{0};
  ScriptedServer server([&](const auto& request, auto& connection) {
    ++arrived;
    const absl::Time give_up = absl::Now() + absl::Seconds(10);
    while (arrived < kRequests && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(1));
    return connection.respond(200, request.target);
  });
  std::vector<std::optional<Result>> results(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    world.loop.spawn(fetch(client.get(), get(base::cat(server.url(), "/", i)), &world.scope, &results[i]));
  }
  ASSERT_TRUE(world.run_until([&] {
    return std::all_of(results.begin(), results.end(), [](const auto& result) { return result.has_value(); });
  }));
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE(results[i]->ok()) << results[i]->status();
    EXPECT_EQ((*results[i])->body, base::cat("/", i));
  }
  EXPECT_EQ(arrived, kRequests);
}

}  // namespace
}  // namespace tidegate::net
