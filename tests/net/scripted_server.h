#pragma once
// A small HTTP/1.1 server for tests, on a port of its own: reads a request and lets the test's script write whatever
// bytes it likes, well-formed or not. One thread a connection, so a script may block.
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tidegate::net {

struct ScriptedRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // counts from 0 in the order of acceptance
};

class ScriptedConnection {
 public:
  virtual ~ScriptedConnection() = default;
  // False when the client is gone.
  virtual bool write(std::string_view bytes) = 0;
  // Ends the connection at once with a TCP reset.
  virtual void reset() = 0;
  // Blocks until the client closes, or the server stops.
  virtual void wait_for_close() = 0;

  // A whole answer with Content-Length.
  bool respond(int status, std::string_view body, std::string_view headers = "");
};

class ScriptedServer {
 public:
  // Returning false closes the connection.
  using Script = std::function<bool(const ScriptedRequest&, ScriptedConnection&)>;

  // Plain, or over TLS with the given context.
  explicit ScriptedServer(Script script, std::shared_ptr<boost::asio::ssl::context> tls = nullptr);
  ~ScriptedServer();

  int port() const { return port_; }
  // "http://127.0.0.1:<port>"
  std::string url() const;
  int connections() const { return connections_; }
  int requests() const { return requests_; }

 private:
  void accept_all();
  void serve(int connection, boost::asio::ip::tcp::socket socket);
  template <class Stream>
  void converse(int connection, Stream& stream);

  Script script_;
  std::shared_ptr<boost::asio::ssl::context> tls_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  int port_;
  std::atomic<int> connections_{0};
  std::atomic<int> requests_{0};
  std::mutex mutex_;
  std::vector<int> open_;  // descriptors, to wake blocked threads at the end
  std::vector<std::thread> threads_;
  std::atomic<bool> stopping_{false};
  std::thread acceptor_thread_;  // last: it uses all of the above
};

}  // namespace tidegate::net
