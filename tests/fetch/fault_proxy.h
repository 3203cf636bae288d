#pragma once
// A TCP proxy between fetch and its store, on a loopback port of its own, that does to the store's bytes what networks
// do: holds them, changes them, ends the connection.
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tidegate::serving {

class FaultProxy {
 public:
  enum class Verdict { kPass, kCut, kHold };  // hold: nothing more comes, and nothing ends
  // Sees the bytes from the store before they are passed on; one call at a time. `seen`: bytes passed on before, over
  // all connections.
  using Fault = std::function<Verdict(std::string& bytes, size_t seen)>;

  FaultProxy(int target_port, Fault fault);
  ~FaultProxy();

  std::string url() const;
  size_t passed() const { return passed_; }

 private:
  using Socket = boost::asio::ip::tcp::socket;
  struct Pair;
  void accept_all();
  void pump_requests(Pair& pair);
  void pump_answers(Pair& pair);

  int target_port_;
  Fault fault_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> passed_{0};
  std::mutex fault_mutex_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Pair>> pairs_;
  std::vector<std::thread> threads_;
  std::thread acceptor_thread_;  // last: it uses all of the above
};

}  // namespace tidegate::serving
