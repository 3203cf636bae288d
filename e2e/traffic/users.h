// The open loop: requests leave on schedule whether or not earlier ones were answered, so a slow server cannot slow its
// users down and look better for it. One thread.
#pragma once

#include <utility>  // Boost 1.74 needs it before its own headers under C++20

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "e2e/traffic/connection.h"
#include "e2e/traffic/options.h"
#include "e2e/traffic/tally.h"

namespace tidegate::traffic_generator {

class Users {
 public:
  // `write_line` is given each JSON line as it arises. `options` and `write_line` must outlive the loop's run.
  Users(boost::asio::io_context& io, const Options& options, std::function<void(const std::string&)> write_line);

  // Knocks if asked to, sends until Stop() or the duration's end, then awaits what is in flight. At its end `tally` is
  // final.
  boost::asio::awaitable<void> Run();
  // Send nothing more. May be called at any time, more than once.
  void Stop();

  // Null until the first request is due.
  const Tally* tally() const { return tally_.get(); }
  uint64_t knocks() const { return knocks_; }

 private:
  using Clock = std::chrono::steady_clock;

  boost::asio::awaitable<void> Knock();
  boost::asio::awaitable<void> SendOnSchedule();
  boost::asio::awaitable<void> SendOne(uint64_t number, Clock::time_point due);
  boost::asio::awaitable<void> ReportSeconds();
  boost::asio::awaitable<std::shared_ptr<Connection>> Acquire(Clock::time_point deadline);
  void Release(std::shared_ptr<Connection> connection);
  const std::string& Body(uint64_t number) const;

  boost::asio::io_context& io_;
  const Options& options_;
  const std::function<void(const std::string&)> write_line_;
  Resolver resolver_;
  boost::asio::steady_timer schedule_;  // cancelled by Stop
  std::unique_ptr<Tally> tally_;
  std::deque<std::shared_ptr<Connection>> idle_;    // used from the front, so that all are used alike
  std::deque<boost::asio::steady_timer*> waiting_;  // one for each request that found no free connection
  int in_use_ = 0;                                  // connections handed out
  uint64_t knocks_ = 0;
  bool stopped_ = false;
  const std::string no_body_;
};

}  // namespace tidegate::traffic_generator
