#pragma once
// A thread on which HTTP servers of strangers run, apart from the control logic's loop. Made by a main.cc, before the
// loop that its handlers post to, and stopped after that loop: so an answer that nobody gave always finds its
// connection.
#include <memory>

namespace boost::asio {
class io_context;
}

namespace tidegate::net {

class ServerThread {
 public:
  ServerThread();
  ~ServerThread();

  boost::asio::io_context& context();
  // Runs no more handlers, and waits for the one that runs.
  void stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tidegate::net
