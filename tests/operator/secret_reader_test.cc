// Secrets of stores: read once for all who name them, and anew when they did not work.
#include "operator/observers/secret_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "api/json.h"
#include "base/strings.h"
#include "kube/kube_fixture.h"
#include "operator/observers/model_resolver.h"
#include "operator_world.h"
#include "samples.h"
#include "storage/s3_object_store.h"
#include "webhook_samples.h"

namespace tidegate::operator_ {
namespace {

using kube::Json;

const base::ObjectKey kSecret{"demo", "minio-credentials"};

class SecretReaderTest : public kube::KubeTest {
 protected:
  SecretReaderTest() { put("one"); }
  ~SecretReaderTest() override {
    scope_.cancel();
    settle();
  }

  void put(const std::string& type) {
    Json secret = {{"metadata", {{"name", kSecret.name}, {"namespace", kSecret.ns}}}, {"type", type}};
    secret["data"] = {{"AWS_ACCESS_KEY_ID", "ZGVtbw=="},
                      {"AWS_SECRET_ACCESS_KEY", "ZGVtbw=="},
                      {"AWS_ENDPOINT_URL", "aHR0cDovL21pbmlvOjkwMDA="}};  // http://minio:9000
    server_.put(kube::resources::secrets(), secret);
  }
  std::string type_now(absl::Duration max_age = absl::Minutes(1)) {
    const auto secret = await(reader_.read(kSecret, max_age, scope_));
    return secret.ok() ? secret->type : secret.status().ToString();
  }
  long reads() const {
    return std::count_if(server_.log.begin(), server_.log.end(),
                         [](const std::string& line) { return line.find("/secrets/") != std::string::npos; });
  }

  SecretReader reader_{client_, clock_};
};

TEST_F(SecretReaderTest, RemembersForAsLongAsTheOneWhoAsksAllows) {
  EXPECT_EQ(type_now(), "one");
  put("two");
  clock_.advance(absl::Seconds(59));
  EXPECT_EQ(type_now(), "one");
  EXPECT_EQ(type_now(absl::Seconds(59)), "two") << "who polls more often reads more often";
  put("three");
  reader_.forget(kSecret);
  EXPECT_EQ(type_now(), "three");
  EXPECT_EQ(reads(), 3);
}

TEST_F(SecretReaderTest, SharesOneRequestAmongThoseWhoAskAtTheSameTime) {
  std::optional<absl::StatusOr<kube::Secret>> answers[5];
  for (auto& answer : answers) {
    loop_.spawn(kube::keep_result(reader_.read(kSecret, absl::Minutes(1), scope_), &answer));
  }
  settle();
  for (const auto& answer : answers) EXPECT_TRUE(answer.has_value() && answer->ok());
  EXPECT_EQ(reads(), 1);
}

TEST_F(SecretReaderTest, RemembersNoErrorButTellsItToAllWhoWaitedForIt) {
  server_.erase(kube::resources::secrets(), kSecret);
  std::optional<absl::StatusOr<kube::Secret>> answers[2];
  for (auto& answer : answers) {
    loop_.spawn(kube::keep_result(reader_.read(kSecret, absl::Minutes(1), scope_), &answer));
  }
  settle();
  for (const auto& answer : answers) EXPECT_TRUE(absl::IsNotFound(answer->status()));
  EXPECT_EQ(reads(), 1);
  put("back");
  EXPECT_EQ(type_now(), "back");
  server_.erase(kube::resources::secrets(), kSecret);
  clock_.advance(absl::Minutes(1));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(type_now(), testing::StartsWith("NOT_FOUND"));
}

TEST_F(SecretReaderTest, TheNextOneAsksWhenWhoeverAskedGaveUp) {
  base::Scope first;
  std::optional<absl::StatusOr<kube::Secret>> gone, served;
  server_.intercept = [&](const net::HttpRequest&) -> std::optional<kube::FakeApiServer::Answer> {
    first.cancel();
    server_.intercept = nullptr;
    return kube::FakeApiServer::Answer(absl::CancelledError("scope ended"));
  };
  loop_.spawn(kube::keep_result(reader_.read(kSecret, absl::Minutes(1), first), &gone));
  loop_.spawn(kube::keep_result(reader_.read(kSecret, absl::Minutes(1), scope_), &served));
  settle();
  EXPECT_TRUE(absl::IsCancelled(gone->status()));
  EXPECT_TRUE(served->ok()) << served->status();
}

// Fifty objects whose models lie in one store.
class ModelResolverTest : public SecretReaderTest {
 protected:
  static constexpr int kObjects = 50;
  ModelResolverTest()
      : resolver_(
            models_, client_,
            [this](storage::S3Options options, std::string bucket) {
              return storage::make_s3_object_store(std::move(options), std::move(bucket), network_, clock_, random_);
            },
            clock_, [](const base::ObjectKey&) {}) {
    network_.objects["digits/3/saved_model.pb"] = "e";
    for (int i = 0; i < kObjects; ++i) {
      api::ModelDeployment object = sample_object();
      object.metadata.name = base::cat("digits-", i);
      models_.upsert(object_json(object));
      keys_.push_back({"demo", object.metadata.name});
    }
    for (int i = 0; i < ModelResolver::kWorkers; ++i) loop_.spawn(resolver_.work(scope_));
    for (const base::ObjectKey& key : keys_) resolver_.look(key);
    settle();
  }
  ~ModelResolverTest() override {
    scope_.cancel();
    settle();
  }
  int found() {
    return static_cast<int>(std::count_if(keys_.begin(), keys_.end(), [&](const base::ObjectKey& key) {
      const Resolution* resolution = resolver_.find(key, sample_object().spec.model);
      return resolution != nullptr && resolution->found && !resolution->error;
    }));
  }

  FakeNetwork network_;
  kube::Store<api::ModelDeployment> models_{"modeldeployments", api::parse_model_deployment, clock_};
  std::vector<base::ObjectKey> keys_;
  ModelResolver resolver_;
};

TEST_F(ModelResolverTest, ReadsASecretOnceAPollForAllObjectsThatNameIt) {
  EXPECT_EQ(found(), kObjects);
  EXPECT_EQ(reads(), 1);
  const int listings = network_.listings;
  // A minute later, and two minutes after that.
  pass(absl::Minutes(3) + absl::Seconds(1));
  EXPECT_EQ(reads(), 3);
  EXPECT_EQ(network_.listings, 3 * listings) << "each object's store is listed all the same";
  EXPECT_EQ(found(), kObjects);
}

TEST_F(ModelResolverTest, ReadsASecretAnewAfterTheStoreDidNotTakeIt) {
  network_.store_fault = {403, "InvalidAccessKeyId"};
  resolver_.look(keys_.front());
  settle();
  EXPECT_EQ(found(), kObjects - 1);
  const long before = reads();
  network_.store_fault.reset();
  pass(absl::Seconds(2));
  EXPECT_EQ(reads(), before + 1) << "somebody may have corrected it";
  EXPECT_EQ(found(), kObjects);
}

}  // namespace
}  // namespace tidegate::operator_
