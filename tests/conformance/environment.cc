#include "conformance/environment.h"

#include <gtest/gtest.h>

namespace tidegate::conformance {
namespace {

class ServerEnvironment : public ::testing::Environment {
 public:
  void SetUp() override {
    world = std::make_unique<World>();
    server = std::make_unique<ApiServer>();
    const absl::Status started = server->start(*world);
    ASSERT_TRUE(started.ok()) << started;
  }
  void TearDown() override {
    server.reset();
    world.reset();
  }
  static inline std::unique_ptr<World> world;
  static inline std::unique_ptr<ApiServer> server;
};
const auto* const kEnvironment = ::testing::AddGlobalTestEnvironment(new ServerEnvironment);

}  // namespace

World& shared_world() { return *ServerEnvironment::world; }
ApiServer& shared_server() { return *ServerEnvironment::server; }

}  // namespace tidegate::conformance
