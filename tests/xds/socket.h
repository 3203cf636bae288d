#pragma once
// Blocking sockets on 127.0.0.1 for tests: enough HTTP/1.1 to be a client or a model behind a gateway.
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace tidegate::xds {

class Socket {
 public:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  ~Socket();
  // Nothing when nobody listens.
  static std::optional<Socket> connect(int port);

  bool write(const std::string& text);
  // Up to and with the delimiter; nothing at the end of the connection.
  std::optional<std::string> read_until(const std::string& delimiter);
  std::optional<std::string> read_exactly(size_t bytes);
  int descriptor() const { return descriptor_; }

 private:
  bool fill();
  int descriptor_;
  std::string buffer_;
};

struct Message {
  std::string first_line;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  int status() const;  // of a response
  std::string header(const std::string& name) const;
};
std::optional<Message> read_message(Socket& socket);

// GET over a connection that is kept; nothing if it failed.
class Client {
 public:
  Client(int port, std::string host) : port_(port), host_(std::move(host)) {}
  std::optional<Message> get(const std::string& path);

 private:
  std::string request(const std::string& path) const;
  int port_;
  std::string host_;
  std::optional<Socket> socket_;
};

}  // namespace tidegate::xds
