#include "kube/errors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/strings.h"

namespace tidegate::kube {
namespace {

using ::testing::HasSubstr;

net::HttpResponse answer(int code, const std::string& reason, Json details = Json()) {
  Json status = {{"kind", "Status"}, {"message", "the server's words"}, {"reason", reason}, {"code", code}};
  if (!details.is_null()) status["details"] = std::move(details);
  return {code, {}, status.dump()};
}

TEST(Errors, GiveEveryHttpStatusItsCanonicalCode) {
  const std::vector<std::pair<net::HttpResponse, absl::StatusCode>> cases = {
      {answer(400, "BadRequest"), absl::StatusCode::kInvalidArgument},
      {answer(401, "Unauthorized"), absl::StatusCode::kUnauthenticated},
      {answer(403, "Forbidden"), absl::StatusCode::kPermissionDenied},
      {answer(404, "NotFound"), absl::StatusCode::kNotFound},
      {answer(409, "AlreadyExists"), absl::StatusCode::kAlreadyExists},
      {answer(409, "Conflict"), absl::StatusCode::kAborted},
      {answer(410, "Expired"), absl::StatusCode::kOutOfRange},
      {answer(422, "Invalid"), absl::StatusCode::kInvalidArgument},
      {answer(429, "TooManyRequests"), absl::StatusCode::kResourceExhausted},
      {answer(500, "InternalError"), absl::StatusCode::kUnavailable},
      {answer(503, "ServiceUnavailable"), absl::StatusCode::kUnavailable},
  };
  for (const auto& [response, code] : cases) {
    const absl::Status error = error_from_response(response, "get pods a/b");
    EXPECT_EQ(error.code(), code) << response.status;
    EXPECT_EQ(error_http_code(error), response.status);
    EXPECT_THAT(std::string(base::view(error.message())), HasSubstr("get pods a/b: HTTP"));
    EXPECT_THAT(std::string(base::view(error.message())), HasSubstr("the server's words"));
  }
}

TEST(Errors, NameTheFieldsThatAreInvalid) {
  const Json details = {
      {"causes", {{{"reason", "FieldValueInvalid"}, {"field", "spec.steps[0].weight"}, {"message", "too high"}}}}};
  const absl::Status error = error_from_response(answer(422, "Invalid", details), "apply");
  EXPECT_THAT(std::string(base::view(error.message())), HasSubstr("spec.steps[0].weight: too high"));
  EXPECT_EQ(error_reason(error), "Invalid");
}

TEST(Errors, KeepWhatTheServerAskedUsToWait) {
  net::HttpResponse busy = answer(429, "TooManyRequests");
  EXPECT_EQ(retry_after(error_from_response(busy, "list")), std::nullopt);
  busy.headers = {{"retry-after", "7"}};
  EXPECT_EQ(retry_after(error_from_response(busy, "list")), absl::Seconds(7));
  const absl::Status in_body = error_from_response(answer(429, "TooManyRequests", {{"retryAfterSeconds", 3}}), "list");
  EXPECT_EQ(retry_after(in_body), absl::Seconds(3));
}

TEST(Errors, QuoteTheBeginningOfAnAnswerThatIsNotTheApiServers) {
  const absl::Status error = error_from_response({502, {}, "<html>bad gateway" + std::string(5000, '.')}, "list");
  EXPECT_TRUE(absl::IsUnavailable(error));
  EXPECT_THAT(std::string(base::view(error.message())), HasSubstr("<html>bad gateway"));
  EXPECT_LT(error.message().size(), 400u);
}

TEST(Errors, RecogniseAServerThatIsBehind) {
  const Json details = {
      {"causes", {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}}}};
  EXPECT_TRUE(is_resource_version_too_large(error_from_response(answer(504, "Timeout", details), "list")));
  EXPECT_FALSE(is_resource_version_too_large(error_from_response(answer(504, "Timeout"), "list")));
}

}  // namespace
}  // namespace tidegate::kube
