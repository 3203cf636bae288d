#include "storage/minio_server.h"

#include <absl/time/clock.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <filesystem>
#include <vector>

#include "base/free_port.h"
#include "base/strings.h"

namespace tidegate::storage {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

std::string minio_binary() {
  if (const char* cache = getenv("TIDEGATE_CACHE")) return std::string(cache) + "/bin/minio";
  const char* home = getenv("HOME");
  return std::string(home ? home : "") + "/.cache/tidegate/bin/minio";
}

}  // namespace

MinioServer::MinioServer(const std::string& bucket) {
  std::filesystem::create_directory(directory_ / bucket);
  if (access(minio_binary().c_str(), X_OK) != 0) {
    ADD_FAILURE() << minio_binary() << " is missing; `tools/setup minio` builds it";
    return;
  }
  // Another process may take the port between finding and using it.
  for (int attempt = 0; attempt < 5 && !started(); ++attempt) {
    port_ = base::free_port();
    if (!start()) kill();
  }
  if (!started()) ADD_FAILURE() << "MinIO did not start";
}

MinioServer::~MinioServer() { kill(); }

std::string MinioServer::endpoint() const { return base::cat("http://127.0.0.1:", port_); }

S3Options MinioServer::options() const {
  S3Options options;
  options.endpoint = endpoint();
  options.credentials = {kUser, kPassword, ""};
  options.max_attempts = 3;
  options.initial_backoff = absl::Milliseconds(10);
  return options;
}

bool MinioServer::start() {
  const std::string binary = minio_binary();
  const std::string address = base::cat("127.0.0.1:", port_);
  std::vector<std::string> words = {binary, "server", "--quiet", "--address", address, directory_.string()};
  std::vector<std::string> variables = {base::cat("MINIO_ROOT_USER=", kUser),
                                        base::cat("MINIO_ROOT_PASSWORD=", kPassword), "MINIO_BROWSER=off",
                                        "MINIO_UPDATE=off", base::cat("HOME=", directory_.string())};
  std::vector<char*> argv, environment;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& variable : variables) environment.push_back(variable.data());
  argv.push_back(nullptr);
  environment.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawn(&pid_, binary.c_str(), &actions, nullptr, argv.data(), environment.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return pid_ = 0, false;
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (absl::Now() < give_up) {
    if (answers()) return true;
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) return pid_ = 0, false;
    absl::SleepFor(absl::Milliseconds(20));
  }
  return false;
}

bool MinioServer::answers() const {
  try {
    asio::io_context context;
    tcp::socket socket(context);
    socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<uint16_t>(port_)));
    asio::write(socket, asio::buffer(base::cat("GET /minio/health/ready HTTP/1.1\r\nHost: x\r\n\r\n")));
    asio::streambuf buffer;
    asio::read_until(socket, buffer, "\r\n");
    const std::string line(static_cast<const char*>(buffer.data().data()), buffer.size());
    return line.starts_with("HTTP/1.1 200");
  } catch (const boost::system::system_error&) {
    return false;
  }
}

void MinioServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void MinioServer::restart() {
  kill();
  if (!start()) ADD_FAILURE() << "MinIO did not start again on port " << port_;
}

}  // namespace tidegate::storage
