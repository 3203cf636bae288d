#include "net/server_thread.h"

#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

namespace tidegate::net {

struct ServerThread::State {
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{context.get_executor()};
  std::thread thread{[this] { context.run(); }};
};

ServerThread::ServerThread() : state_(std::make_unique<State>()) {}

ServerThread::~ServerThread() { stop(); }

boost::asio::io_context& ServerThread::context() { return state_->context; }

void ServerThread::stop() {
  state_->context.stop();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace tidegate::net
