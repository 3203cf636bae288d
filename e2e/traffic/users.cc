#include "e2e/traffic/users.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace tidegate::traffic_generator {
namespace {
namespace asio = boost::asio;
using boost::system::error_code;
constexpr auto kKnockEvery = std::chrono::milliseconds(250);
constexpr auto kReportEvery = std::chrono::milliseconds(100);
}  // namespace

Users::Users(asio::io_context& io, const Options& options, std::function<void(const std::string&)> write_line)
    : io_(io), options_(options), write_line_(std::move(write_line)), resolver_(io, options.target), schedule_(io) {}

asio::awaitable<void> Users::Run() {
  if (options_.start_when_served) co_await Knock();
  tally_ = std::make_unique<Tally>(absl::Now());
  asio::co_spawn(io_, ReportSeconds(), asio::detached);
  co_await SendOnSchedule();
  stopped_ = true;
  asio::steady_timer pause(io_);
  while (tally_->in_flight() > 0) {  // each ends by its own timeout
    error_code ignored;
    pause.expires_after(std::chrono::milliseconds(5));
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

void Users::Stop() {
  stopped_ = true;
  schedule_.cancel();
}

// A connection for each knock: the name's address may change until there is something behind it.
asio::awaitable<void> Users::Knock() {
  while (!stopped_) {
    Outcome outcome;
    Connection connection(io_, resolver_, options_.target);
    ++knocks_;
    co_await connection.Exchange(Body(0), /*keep_alive=*/false, Clock::now() + std::chrono::seconds(2), outcome);
    if (outcome.ok()) co_return;
    error_code ignored;
    schedule_.expires_after(kKnockEvery);
    co_await schedule_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

asio::awaitable<void> Users::SendOnSchedule() {
  const Clock::time_point start = Clock::now();
  const auto end = options_.duration > absl::ZeroDuration() ? start + absl::ToChronoNanoseconds(options_.duration)
                                                            : Clock::time_point::max();
  const std::chrono::duration<double> gap(1 / options_.rate);
  for (uint64_t number = 1; !stopped_; ++number) {
    const auto due = start + std::chrono::duration_cast<Clock::duration>(gap * static_cast<double>(number - 1));
    if (due >= end) co_return;
    error_code ignored;
    schedule_.expires_at(due);
    co_await schedule_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (stopped_) co_return;
    tally_->Sent();
    asio::co_spawn(io_, SendOne(number, due), asio::detached);
  }
}

asio::awaitable<void> Users::SendOne(uint64_t number, Clock::time_point due) {
  const Clock::time_point deadline = due + absl::ToChronoNanoseconds(options_.timeout);
  Outcome outcome;
  outcome.request_id = absl::StrCat(options_.name, "-", number);
  outcome.due = absl::Now() - absl::FromChrono(Clock::now() - due);
  std::shared_ptr<Connection> connection = co_await Acquire(deadline);
  if (connection == nullptr) {
    outcome.error = "timeout waiting for a free connection";
  } else {
    co_await connection->Exchange(Body(number), !options_.new_connections, deadline, outcome);
    Release(std::move(connection));
  }
  outcome.duration = absl::FromChrono(Clock::now() - due);
  const std::string line = tally_->Finished(outcome);
  if (!line.empty()) write_line_(line);
}

// A free connection, a new one if there may be more, or null when neither came before the deadline.
asio::awaitable<std::shared_ptr<Connection>> Users::Acquire(Clock::time_point deadline) {
  if (in_use_ >= options_.connections) {
    error_code released;  // set when Release cancels the timer
    asio::steady_timer turn(io_, deadline);
    waiting_.push_back(&turn);
    co_await turn.async_wait(asio::redirect_error(asio::use_awaitable, released));
    if (!released) {
      std::erase(waiting_, &turn);
      co_return nullptr;
    }
  } else {
    ++in_use_;
  }
  // The right to one connection is held now; a waiting request got it from the one that released it.
  while (!idle_.empty()) {
    std::shared_ptr<Connection> connection = std::move(idle_.front());
    idle_.pop_front();
    if (connection->Usable()) co_return connection;
  }
  co_return std::make_shared<Connection>(io_, resolver_, options_.target);
}

void Users::Release(std::shared_ptr<Connection> connection) {
  if (connection->open()) idle_.push_back(std::move(connection));
  if (waiting_.empty()) {
    --in_use_;
    return;
  }
  waiting_.front()->cancel();
  waiting_.pop_front();
}

asio::awaitable<void> Users::ReportSeconds() {
  asio::steady_timer timer(io_);
  while (!stopped_) {
    error_code ignored;
    timer.expires_after(kReportEvery);
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const std::vector<std::string> lines = tally_->CloseSeconds(absl::Now());
    for (const std::string& line : lines) write_line_(line);
  }
}

const std::string& Users::Body(uint64_t number) const {
  return options_.bodies.empty() ? no_body_ : options_.bodies[number % options_.bodies.size()];
}

}  // namespace tidegate::traffic_generator
