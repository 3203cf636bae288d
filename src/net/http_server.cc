#include "net/http_server.h"

#include <algorithm>

namespace tidegate::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool same_header_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view ServerRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_header_name(key, name)) return value;
  }
  return {};
}

std::string_view ServerRequest::path() const {
  const std::string_view whole = std::string_view(target).substr(0, target.find('?'));
  const size_t scheme = whole.starts_with('/') ? std::string_view::npos : whole.find("://");
  if (scheme == std::string_view::npos) return whole;
  const size_t begin = whole.find('/', scheme + 3);
  return begin == std::string_view::npos ? "/" : whole.substr(begin);
}

Responder& Responder::operator=(Responder&& other) noexcept {
  std::swap(send_, other.send_);
  return *this;
}

Responder::~Responder() {
  if (!send_) return;
  ServerResponse lost;
  lost.status = 500;
  lost.body = R"({"error":"The server lost this request without answering it; this is a bug."})";
  lost.close = true;
  send_(std::move(lost));
}

void Responder::operator()(ServerResponse response) {
  auto send = std::exchange(send_, nullptr);
  if (send) send(std::move(response));
}

}  // namespace tidegate::net
