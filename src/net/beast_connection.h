#pragma once
// One connection of BeastHttpServer: reads a request, hands it over, writes the answer, reads the next.
// Only beast_http_server.cc includes this.
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/strand.hpp>
#include <cstdint>
#include <memory>
#include <optional>

#include "net/http_server.h"

namespace tidegate::net {

// With its executor's type known: Asio's any_io_executor would cost allocations with every operation.
using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::strand<boost::asio::io_context::executor_type>>;

// What all connections of a server share. Lives as long as the server or any connection.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual const HttpServerOptions& options() const = 0;
  virtual const Handler& handler() const = 0;
  // True after announce_close(): answers carry `Connection: close`.
  virtual bool closing() const = 0;
  // Any thread: 1, 2, 3, …; tells who began to wait before whom.
  virtual int64_t next_turn() = 0;
  // Any thread: the clock that timeouts are counted on.
  virtual absl::Duration uptime() const = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual void start() = 0;
  // Any thread: closes at once if no request is in flight, else after its answer.
  virtual void close_when_idle() = 0;

  // How welcome it is when there are too many: by whether it was ever answered, then by when it began to wait for its
  // peer. nullopt: it does not wait, a request is in the handler's hands.
  using Standing = std::pair<bool, int64_t>;
  // Any thread, both. evict() closes it if it waits for its peer; false when it does not.
  virtual std::optional<Standing> standing() const = 0;
  virtual bool evict() = 0;
};

// `on_end` runs once, when the connection is closed and its last request answered. `tls` null: plain HTTP.
std::shared_ptr<Connection> make_connection(std::shared_ptr<ConnectionHost> host, Socket socket,
                                            std::shared_ptr<boost::asio::ssl::context> tls,
                                            std::function<void(Connection*)> on_end);

}  // namespace tidegate::net
