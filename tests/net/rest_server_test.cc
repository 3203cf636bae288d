#include "net/rest_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"
#include "net/client_world.h"
#include "net/curl_http_client.h"

namespace tidegate::net {
namespace {

using ::testing::HasSubstr;

ServerResponse text(std::string body) { return {.content_type = "text/plain; charset=utf-8", .body = std::move(body)}; }

// The server's loop and the client's are one: the test turns it.
struct RestWorld : ClientWorld {
  RestServerOptions options{.address = "127.0.0.1"};
  RestRoutes routes;
  std::unique_ptr<RestServer> server;
  CurlHttpClient client{loop.context(), clock};

  void start() { server = make_rest_server(loop, options, routes).value(); }
  Result ask(std::string target, std::string method = "GET") {
    HttpRequest request;
    request.method = std::move(method);
    request.url = base::cat("http://127.0.0.1:", server->port(), target);
    request.timeout = absl::Seconds(10);
    return fetch_and_wait(client, std::move(request));
  }
};

TEST(RestServer, AnswersFromTheLongestRouteThatFits) {
  RestWorld world;
  world.routes["/healthz"] = [](const ServerRequest&) { return text("ok"); };
  world.routes["/debug/"] = [](const ServerRequest& request) { return text(base::cat("debug ", request.target)); };
  world.routes["/debug/objects/"] = [](const ServerRequest&) { return text("objects"); };
  world.start();
  Result health = world.ask("/healthz");
  ASSERT_TRUE(health.ok()) << health.status();
  EXPECT_EQ(health->status, 200);
  EXPECT_EQ(health->body, "ok");
  EXPECT_EQ(health->header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(world.ask("/debug/a%20b?c=d")->body, "debug /debug/a%20b?c=d");
  EXPECT_EQ(world.ask("/debug/objects/x")->body, "objects");
  EXPECT_EQ(world.ask("/healthz/more")->status, 404);
  EXPECT_EQ(world.ask("/")->status, 404);
}

TEST(RestServer, RunsHandlersOnTheLoopsThread) {
  RestWorld world;
  std::thread::id handled_on;
  world.routes["/"] = [&](const ServerRequest&) {
    handled_on = std::this_thread::get_id();
    return ServerResponse{.status = 418};
  };
  world.start();
  EXPECT_EQ(world.ask("/any")->status, 418);
  EXPECT_TRUE(handled_on == std::this_thread::get_id());
}

TEST(RestServer, IsReadOnly) {
  RestWorld world;
  world.routes["/"] = [](const ServerRequest&) { return text("secret"); };
  world.start();
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH"})
    EXPECT_EQ(world.ask("/", method)->status, 405) << method;
  Result head = world.ask("/", "HEAD");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
}

TEST(RestServer, SaysThatTheLoopDoesNotAnswer) {
  RestWorld world;
  base::Loop stuck;  // nobody turns it
  bool handled = false;
  world.options.deadline = absl::Milliseconds(50);
  world.routes["/"] = [&](const ServerRequest&) {
    handled = true;
    return text("");
  };
  world.server = make_rest_server(stuck, world.options, world.routes).value();
  Result result = world.ask("/");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 503);
  EXPECT_THAT(result->body, HasSubstr("did not answer in time"));
  stuck.run_ready();
  EXPECT_FALSE(handled) << "nobody waits for this answer any more";
}

TEST(RestServer, StopsAtOnceThoughRequestsWaitForTheLoop) {
  RestWorld world;
  base::Loop stuck;
  world.options.deadline = absl::Minutes(10);
  world.options.max_pending = 1;
  world.routes["/"] = [](const ServerRequest&) { return text(""); };
  world.server = make_rest_server(stuck, world.options, world.routes).value();
  const std::string url = base::cat("http://127.0.0.1:", world.server->port(), "/");
  std::optional<Result> first, second;
  HttpRequest request;
  request.url = url;
  // With one place to wait, one of the two is refused at once, and the other is there by then.
  world.loop.spawn(fetch(&world.client, request, &world.scope, &first));
  world.loop.spawn(fetch(&world.client, request, &world.scope, &second));
  ASSERT_TRUE(world.run_until([&] { return first || second; }));
  EXPECT_EQ((first ? *first : *second)->status, 503);
  std::thread stopper([&] { world.server.reset(); });
  EXPECT_TRUE(world.run_until([&] { return first && second; }));
  stopper.join();
}

TEST(RestServer, RefusesAnAddressThatIsTaken) {
  RestWorld world;
  world.routes["/"] = [](const ServerRequest&) { return text("one"); };
  world.start();
  RestServerOptions same = world.options;
  same.port = world.server->port();
  const auto other = make_rest_server(world.loop, same, world.routes);
  EXPECT_TRUE(absl::IsUnavailable(other.status())) << other.status();
  EXPECT_THAT(std::string(other.status().message()), HasSubstr(base::cat("127.0.0.1:", same.port)));
}

}  // namespace
}  // namespace tidegate::net
