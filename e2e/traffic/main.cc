// tidegate-traffic: users who ask a model at a fixed rate, never ask twice, and remember every answer.
// Exit codes: 0 after SIGTERM, SIGINT or --duration, whatever the answers were; 1 when it could not run; 2 wrong usage.
#include <utility>  // Boost 1.74 needs it before its own headers under C++20

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>

#include "absl/time/clock.h"
#include "e2e/traffic/options.h"
#include "e2e/traffic/stats_server.h"
#include "e2e/traffic/users.h"

namespace tidegate::traffic_generator {
namespace {

int Run(const Options& options, std::ostream& output) {
  boost::asio::io_context io;
  Users users(io, options, [&output](const std::string& line) { output << line << std::endl; });
  StatsServer stats(io, users);
  if (options.stats_port != 0) {
    if (const absl::Status status = stats.Listen(options.stats_port); !status.ok()) {
      std::cerr << "tidegate-traffic: " << status.message() << "\n";
      return 1;
    }
  }
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&users](const boost::system::error_code& error, int) {
    if (!error) users.Stop();
  });
  std::exception_ptr failure;
  boost::asio::co_spawn(io, users.Run(), [&](std::exception_ptr thrown) {
    failure = thrown;
    io.stop();
  });
  io.run();
  if (failure) std::rethrow_exception(failure);
  nlohmann::json totals = users.tally()->Totals(absl::Now());
  totals["knocks"] = users.knocks();
  output << totals.dump() << std::endl;
  return 0;
}

int Main(int argc, const char* const* argv) {
  const absl::StatusOr<Options> options = ParseOptions(argc, argv);
  if (absl::IsCancelled(options.status())) {
    std::cout << options.status().message();
    return 0;
  }
  if (!options.ok()) {
    std::cerr << "tidegate-traffic: " << options.status().message() << "\n";
    return 2;
  }
  if (options->output == "-") return Run(*options, std::cout);
  std::ofstream file(options->output, std::ios::app);
  if (!file) {
    std::cerr << "tidegate-traffic: --output: cannot write " << options->output << "\n";
    return 2;
  }
  return Run(*options, file);
}

}  // namespace
}  // namespace tidegate::traffic_generator

int main(int argc, char** argv) {
  try {
    return tidegate::traffic_generator::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tidegate-traffic: %s\n", error.what());
    return 1;
  }
}
