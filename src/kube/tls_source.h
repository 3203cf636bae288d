#pragma once
// Whom a client trusts and as whom it appears, which may change while it runs: the kubelet renews client certificates,
// an administrator replaces the cluster's authority, and both only write files. Made by load_kubeconfig and
// load_in_cluster_config, asked by Client for every request.
//
// A connection keeps what it was opened with: requests in flight go on there, and the first request with other options
// opens a new one (libcurl shares no connection, and no TLS session, between different certificates or authorities).
#include <memory>
#include <string>

#include "base/clock.h"
#include "net/http_client.h"

namespace tidegate::kube {

// Loop thread only.
class TlsSource {
 public:
  virtual ~TlsSource() = default;
  // Never null. The same pointer for as long as nothing has changed.
  virtual std::shared_ptr<const net::TlsOptions> tls() = 0;
  // The server was not trusted, or did not accept us: what is remembered may be out of date.
  virtual void invalidate() = 0;
};

// Always the same.
std::unique_ptr<TlsSource> make_static_tls(net::TlsOptions tls);

// Paths; empty: that text is given once and for all.
struct TlsFiles {
  std::string ca;
  std::string certificate;
  std::string private_key;
};

// Begins with `first`, which is what the files held a moment ago, and reads them again every ten seconds at most and
// after invalidate(). What cannot be used (a file that is away, a certificate whose key has not been written yet) is
// logged and looked at again later; until then the last that could be used is. `clock` must outlive it.
std::unique_ptr<TlsSource> make_file_tls(net::TlsOptions first, TlsFiles files, base::Clock& clock);

}  // namespace tidegate::kube
