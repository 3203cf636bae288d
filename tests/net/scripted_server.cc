#include "net/scripted_server.h"

#include <absl/strings/ascii.h>
#include <sys/socket.h>

#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <sstream>

#include "base/strings.h"

namespace tidegate::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

tcp::socket& socket_of(tcp::socket& stream) { return stream; }
tcp::socket& socket_of(asio::ssl::stream<tcp::socket>& stream) { return stream.next_layer(); }

template <class Stream>
class Connection : public ScriptedConnection {
 public:
  explicit Connection(Stream& stream) : stream_(stream) {}

  bool write(std::string_view bytes) override {
    boost::system::error_code error;
    asio::write(stream_, asio::buffer(bytes.data(), bytes.size()), error);
    return !error;
  }
  void reset() override {
    boost::system::error_code error;
    socket_of(stream_).set_option(asio::socket_base::linger(true, 0), error);
    socket_of(stream_).close(error);
  }
  void wait_for_close() override {
    char byte;
    boost::system::error_code error;
    while (!error) stream_.read_some(asio::buffer(&byte, 1), error);
  }

 private:
  Stream& stream_;
};

ScriptedRequest parse_head(const std::string& head) {
  ScriptedRequest request;
  std::istringstream lines(head);
  std::string line;
  lines >> request.method >> request.target;
  std::getline(lines, line);
  while (std::getline(lines, line)) {
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    request.headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(base::absl_view(std::string_view(line).substr(colon + 1))));
  }
  return request;
}

}  // namespace

bool ScriptedConnection::respond(int status, std::string_view body, std::string_view headers) {
  return write(
      base::cat("HTTP/1.1 ", status, " Scripted\r\nContent-Length: ", body.size(), "\r\n", headers, "\r\n", body));
}

ScriptedServer::ScriptedServer(Script script, std::shared_ptr<asio::ssl::context> tls)
    : script_(std::move(script)),
      tls_(std::move(tls)),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      port_(acceptor_.local_endpoint().port()),
      acceptor_thread_([this] { accept_all(); }) {}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  acceptor_thread_.join();
  {
    std::lock_guard lock(mutex_);
    for (int descriptor : open_) ::shutdown(descriptor, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
}

std::string ScriptedServer::url() const { return base::cat(tls_ ? "https" : "http", "://127.0.0.1:", port_); }

void ScriptedServer::accept_all() {
  while (!stopping_) {
    boost::system::error_code error;
    tcp::socket socket = acceptor_.accept(error);
    if (error) continue;
    std::lock_guard lock(mutex_);
    open_.push_back(socket.native_handle());
    threads_.emplace_back(
        [this, number = connections_++, socket = std::move(socket)]() mutable { serve(number, std::move(socket)); });
  }
}

void ScriptedServer::serve(int connection, tcp::socket socket) {
  const int descriptor = socket.native_handle();
  if (tls_) {
    asio::ssl::stream<tcp::socket> stream(std::move(socket), *tls_);
    boost::system::error_code error;
    stream.handshake(asio::ssl::stream_base::server, error);
    if (!error) converse(connection, stream);
    std::lock_guard lock(mutex_);
    std::erase(open_, descriptor);
    stream.next_layer().close(error);
    return;
  }
  converse(connection, socket);
  std::lock_guard lock(mutex_);
  std::erase(open_, descriptor);
  boost::system::error_code error;
  socket.close(error);
}

template <class Stream>
void ScriptedServer::converse(int connection, Stream& stream) {
  Connection<Stream> answers(stream);
  asio::streambuf buffer;
  boost::system::error_code error;
  while (!stopping_) {
    const size_t head_size = asio::read_until(stream, buffer, "\r\n\r\n", error);
    if (error) return;
    std::string head(asio::buffers_begin(buffer.data()), asio::buffers_begin(buffer.data()) + head_size);
    buffer.consume(head_size);
    ScriptedRequest request = parse_head(head);
    request.connection = connection;
    const auto length = request.headers.find("content-length");
    const size_t body = length == request.headers.end() ? 0 : std::stoul(length->second);
    if (buffer.size() < body) asio::read(stream, buffer, asio::transfer_exactly(body - buffer.size()), error);
    if (error) return;
    request.body.assign(asio::buffers_begin(buffer.data()), asio::buffers_begin(buffer.data()) + body);
    buffer.consume(body);
    ++requests_;
    if (!script_(request, answers)) return;
  }
}

}  // namespace tidegate::net
