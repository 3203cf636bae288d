#include "xds/socket.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strings.h"

namespace tidegate::xds {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

}  // namespace

Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

std::optional<Socket> Socket::connect(int port) {
  Socket socket(::socket(AF_INET, SOCK_STREAM, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(socket.descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::nullopt;
  }
  const int on = 1;
  setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

bool Socket::write(const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = send(descriptor_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<size_t>(n);
  }
  return true;
}

bool Socket::fill() {
  char chunk[16384];
  const ssize_t n = recv(descriptor_, chunk, sizeof chunk, 0);
  if (n <= 0) return false;
  buffer_.append(chunk, static_cast<size_t>(n));
  return true;
}

std::optional<std::string> Socket::read_until(const std::string& delimiter) {
  size_t at;
  while ((at = buffer_.find(delimiter)) == std::string::npos) {
    if (!fill()) return std::nullopt;
  }
  std::string text = buffer_.substr(0, at + delimiter.size());
  buffer_.erase(0, text.size());
  return text;
}

std::optional<std::string> Socket::read_exactly(size_t bytes) {
  while (buffer_.size() < bytes) {
    if (!fill()) return std::nullopt;
  }
  std::string text = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return text;
}

int Message::status() const {
  int status = 0;
  return first_line.size() > 12 && absl::SimpleAtoi(first_line.substr(9, 3), &status) ? status : 0;
}

std::string Message::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::optional<Message> read_message(Socket& socket) {
  const std::optional<std::string> head = socket.read_until("\r\n\r\n");
  if (!head) return std::nullopt;
  Message message;
  size_t begin = 0;
  for (size_t end; (end = head->find("\r\n", begin)) > begin; begin = end + 2) {
    const std::string line = head->substr(begin, end - begin);
    const size_t colon = line.find(": ");
    if (begin == 0) {
      message.first_line = line;
    } else if (colon != std::string::npos) {
      message.headers[absl::AsciiStrToLower(line.substr(0, colon))] = line.substr(colon + 2);
    }
  }
  size_t length = 0;
  if (absl::SimpleAtoi(message.header("content-length"), &length)) {
    std::optional<std::string> body = socket.read_exactly(length);
    if (!body) return std::nullopt;
    message.body = *std::move(body);
  }
  return message;
}

std::string Client::request(const std::string& path) const {
  return base::cat("GET ", path, " HTTP/1.1\r\nHost: ", host_, "\r\n\r\n");
}

std::optional<Message> Client::get(const std::string& path) {
  if (!socket_)
    if (std::optional<Socket> fresh = Socket::connect(port_)) socket_.emplace(*std::move(fresh));
  if (!socket_ || !socket_->write(request(path))) {
    socket_.reset();
    return std::nullopt;
  }
  std::optional<Message> answer = read_message(*socket_);
  if (!answer || answer->header("connection") == "close") socket_.reset();
  return answer;
}

}  // namespace tidegate::xds
