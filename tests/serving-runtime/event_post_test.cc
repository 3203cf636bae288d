#include "serving-runtime/recording/event_post.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/loop.h"

namespace tidegate::serving {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

// Answers from a list.
class ScriptedClient : public net::HttpClient {
 public:
  base::Task<absl::StatusOr<net::HttpResponse>> request(net::HttpRequest request, base::Scope&) override {
    requests.push_back(std::move(request));
    absl::StatusOr<net::HttpResponse> answer = answers.at(requests.size() - 1);
    co_return answer;
  }
  std::vector<absl::StatusOr<net::HttpResponse>> answers;
  std::vector<net::HttpRequest> requests;
};

base::Task<void> post(net::HttpClient* client, base::Clock* clock, base::Scope* scope,
                      std::optional<absl::Status>* result) {
  PostOptions options;
  options.url = "http://sink/";
  options.content_type = "application/cloudevents-batch+json";
  options.attempts = 3;
  options.first_backoff = absl::Seconds(1);
  absl::Status posted = co_await post_until_taken(*client, *clock, std::move(options), "[]", *scope);
  *result = posted;
}

class EventPostTest : public testing::Test {
 protected:
  void begin(std::vector<absl::StatusOr<net::HttpResponse>> answers) {
    client_.answers = std::move(answers);
    loop_.spawn(post(&client_, &clock_, &scope_, &result_));
    loop_.run_ready();
  }
  void wait(absl::Duration duration) {
    clock_.advance(duration);
    loop_.run_ready();
  }
  static net::HttpResponse answer(int status) {
    net::HttpResponse response;
    response.status = status;
    return response;
  }

  ScriptedClient client_;
  base::Scope scope_;
  base::ManualClock clock_;
  std::optional<absl::Status> result_;
  base::Loop loop_;
};

TEST_F(EventPostTest, IsDoneWhenTaken) {
  begin({answer(202)});
  ASSERT_TRUE(result_.has_value());
  EXPECT_TRUE(result_->ok());
  EXPECT_EQ(client_.requests[0].method, "POST");
  EXPECT_EQ(client_.requests[0].headers[0].second, "application/cloudevents-batch+json");
}

TEST_F(EventPostTest, TriesAgainAfterLongerAndLongerPauses) {
  begin({absl::UnavailableError("refused"), answer(503), answer(200)});
  EXPECT_THAT(client_.requests, SizeIs(1));
  wait(absl::Milliseconds(999));
  EXPECT_THAT(client_.requests, SizeIs(1));
  wait(absl::Milliseconds(1));
  EXPECT_THAT(client_.requests, SizeIs(2));
  wait(absl::Milliseconds(1999));
  EXPECT_FALSE(result_.has_value());
  wait(absl::Milliseconds(1));
  ASSERT_TRUE(result_.has_value());
  EXPECT_TRUE(result_->ok());
}

TEST_F(EventPostTest, GivesUpInTheEndAndSaysWhatHappened) {
  begin({answer(429), answer(429), answer(500)});
  wait(absl::Seconds(1));
  wait(absl::Seconds(2));
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(result_->message(), HasSubstr("after 3 attempts: http://sink/ answered 500"));
}

TEST_F(EventPostTest, DoesNotRepeatWhatWasRefused) {
  begin({answer(400)});
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(EventPostTest, EndsWithItsScope) {
  begin({answer(503)});
  scope_.cancel();
  loop_.run_ready();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace tidegate::serving
