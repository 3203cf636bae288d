#pragma once
// A real kube-apiserver on a real etcd, on free ports of 127.0.0.1 with data and certificates of its own: no nodes and
// no controllers, so nothing changes but by the tests. Disturbs no other cluster of this machine.
#include <absl/status/status.h>
#include <absl/time/time.h>

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop.h"
#include "base/random.h"
#include "base/scratch_folder.h"
#include "base/task.h"
#include "conformance/process.h"
#include "kube/client.h"
#include "net/certificate.h"
#include "net/curl_http_client.h"

namespace tidegate::conformance {

// The real loop, clock and network of these tests.
class World {
 public:
  // Runs the loop until `condition` holds; false after `limit`.
  bool until(const std::function<bool()>& condition, absl::Duration limit = absl::Seconds(60));
  // Runs the task to its end (the process ends when it takes longer than two minutes).
  template <class T>
  T await(base::Task<T> task) {
    std::optional<T> result;
    loop.spawn(keep(std::move(task), &result));
    if (!until([&] { return result.has_value(); }, absl::Minutes(2))) std::abort();
    return *std::move(result);
  }

  base::Loop loop;
  base::SystemClock clock{loop.context()};
  base::SeededRandom random{7};
  net::CurlHttpClient http{loop.context(), clock};
  base::Scope scope;

 private:
  template <class T>
  static base::Task<void> keep(base::Task<T> task, std::optional<T>* result) {
    T value = co_await std::move(task);
    result->emplace(std::move(value));
  }
};

class ApiServer {
 public:
  // Starts both and waits until the API answers /readyz.
  absl::Status start(World& world);
  void stop_api() { api_.kill(); }
  absl::Status start_api(World& world);
  // Throws away etcd's history before now.
  absl::Status compact(World& world);
  // etcd stands still: reads from the API server's cache go on, writes hang.
  void pause_etcd() { etcd_.pause(); }
  void resume_etcd() { etcd_.resume(); }
  // Writes objects behind the API server's back, 100 in a transaction, as fast as etcd takes them: {"/registry/…",
  // JSON}.
  absl::Status put_in_etcd(World& world, const std::vector<std::pair<std::string, std::string>>& objects);
  // Besides the one of config(), this token is cluster-admin from the next start on (and the one before is not).
  void set_second_token(const std::string& token);
  // A certificate that makes its bearer the user `name`, valid from `now` on for an hour.
  absl::StatusOr<net::KeyPair> issue_client(const std::string& name, absl::Time now) const;
  // From the next start on the API server shows a certificate of another authority, which config() then names.
  absl::Status replace_authority(World& world);

  // cluster-admin by token.
  kube::ClientConfig config() const;
  int port() const { return api_port_; }
  // The end of both logs, for a failure's message.
  std::string log_tail() const;
  ~ApiServer();

 private:
  absl::Status write_keys(World& world);
  absl::Status write_server_certificate(World& world);
  absl::StatusOr<net::HttpResponse> ask_etcd(World& world, const std::string& path, const kube::Json& body);
  absl::Status start_etcd();
  bool ready(World& world);

  const base::ScratchFolder directory_;
  std::string ca_pem_;
  net::KeyPair clients_;  // the clients' authority
  int api_port_ = 0;
  int etcd_port_ = 0;
  int etcd_peer_port_ = 0;
  Process etcd_;
  Process api_;
};

}  // namespace tidegate::conformance
