#pragma once
// Stand-ins for a model's pod. What they answer is asked for by the last word of the path.
#include <grpcpp/server.h>

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace tidegate::xds {

// HTTP/1.1. "400", "503", …: that status. "model": 400 with x-tidegate-error: model; "model500": 500 with it. "close":
// the connection ends without an answer. "hang": no answer until the client goes away. Anything else: 200. The body is
// `name`.
class RestBackend {
 public:
  explicit RestBackend(std::string name);
  ~RestBackend();
  int port() const { return port_; }
  int requests() const { return requests_; }

 private:
  void accept_all();
  void serve(int descriptor);
  std::string name_;
  int listener_;
  int port_;
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::list<int> open_;
  std::list<std::thread> threads_;
  std::thread acceptor_;
};

// gRPC, any method. A number: that status. "model": INVALID_ARGUMENT with the trailer x-tidegate-error: model.
class GrpcBackend {
 public:
  GrpcBackend();
  ~GrpcBackend();
  int port() const { return port_; }

 private:
  class Service;
  std::unique_ptr<Service> service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A unary call with an empty message; the status that the client sees.
int call_grpc(int port, const std::string& authority, const std::string& method);

}  // namespace tidegate::xds
