#include "fetch/fault_proxy.h"

#include <sys/socket.h>

#include <boost/asio/write.hpp>

#include "base/strings.h"

namespace tidegate::serving {

namespace asio = boost::asio;
using asio::ip::tcp;

struct FaultProxy::Pair {
  Pair(Socket client, Socket store) : client(std::move(client)), store(std::move(store)) {}
  void end() {
    ::shutdown(client.native_handle(), SHUT_RDWR);
    ::shutdown(store.native_handle(), SHUT_RDWR);
  }
  Socket client;
  Socket store;
};

FaultProxy::FaultProxy(int target_port, Fault fault)
    : target_port_(target_port),
      fault_(std::move(fault)),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
      acceptor_thread_([this] { accept_all(); }) {}

FaultProxy::~FaultProxy() {
  stopping_ = true;
  ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
  acceptor_thread_.join();
  for (const auto& pair : pairs_) pair->end();
  for (std::thread& thread : threads_) thread.join();
}

std::string FaultProxy::url() const { return base::cat("http://127.0.0.1:", acceptor_.local_endpoint().port()); }

void FaultProxy::accept_all() {
  while (!stopping_) {
    boost::system::error_code error;
    Socket client = acceptor_.accept(error);
    if (error) continue;
    Socket store(context_);
    store.connect(tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<uint16_t>(target_port_)), error);
    if (error) continue;  // the store is down: the client's connection ends with its socket
    auto pair = std::make_shared<Pair>(std::move(client), std::move(store));
    pairs_.push_back(pair);
    threads_.emplace_back([this, pair] { pump_requests(*pair); });
    threads_.emplace_back([this, pair] { pump_answers(*pair); });
  }
}

void FaultProxy::pump_requests(Pair& pair) {
  char buffer[16384];
  boost::system::error_code error;
  while (true) {
    const size_t count = pair.client.read_some(asio::buffer(buffer), error);
    if (error) break;
    asio::write(pair.store, asio::buffer(buffer, count), error);
    if (error) break;
  }
  pair.end();
}

void FaultProxy::pump_answers(Pair& pair) {
  char buffer[16384];
  boost::system::error_code error;
  while (true) {
    const size_t count = pair.store.read_some(asio::buffer(buffer), error);
    if (error) break;
    std::string bytes(buffer, count);
    Verdict verdict;
    {
      std::lock_guard lock(fault_mutex_);
      verdict = fault_(bytes, passed_);
      if (verdict == Verdict::kPass) passed_ += bytes.size();
    }
    if (verdict == Verdict::kHold) return;  // until the client or the destructor ends it
    if (verdict == Verdict::kCut) break;
    asio::write(pair.client, asio::buffer(bytes), error);
    if (error) break;
  }
  pair.end();
}

}  // namespace tidegate::serving
