#include "kube/tls_source.h"

#include <utility>

#include "base/files.h"
#include "base/log.h"
#include "base/status.h"
#include "base/strings.h"
#include "net/certificate.h"

namespace tidegate::kube {
namespace {

// Client certificates are renewed long before they end, and a new authority is trusted before it signs.
constexpr absl::Duration kAge = absl::Seconds(10);

class StaticTls : public TlsSource {
 public:
  explicit StaticTls(net::TlsOptions tls) : tls_(std::make_shared<net::TlsOptions>(std::move(tls))) {}
  std::shared_ptr<const net::TlsOptions> tls() override { return tls_; }
  void invalidate() override {}

 private:
  std::shared_ptr<const net::TlsOptions> tls_;
};

absl::Status read_into(std::string& text, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  TG_ASSIGN_OR_RETURN(text, base::read_file(path));
  // Empty would mean: trust what the system trusts, appear as nobody.
  return text.empty() ? absl::FailedPreconditionError(base::cat(path, " is empty")) : absl::OkStatus();
}

// Files are replaced one after the other, and some writers do not rename: what was read may be half old, half new.
absl::Status check_usable(const net::TlsOptions& tls) {
  if (!tls.ca_pem.empty()) TG_RETURN_IF_ERROR(net::parse_certificate(tls.ca_pem).status());
  if (tls.certificate_pem.empty()) return absl::OkStatus();
  return net::check_identity({tls.certificate_pem, tls.private_key_pem, ""});
}

class FileTls : public TlsSource {
 public:
  FileTls(net::TlsOptions first, TlsFiles files, base::Clock& clock)
      : files_(std::move(files)),
        clock_(clock),
        tls_(std::make_shared<net::TlsOptions>(std::move(first))),
        read_at_(clock.uptime()) {}

  std::shared_ptr<const net::TlsOptions> tls() override {
    if (!stale_ && clock_.uptime() - read_at_ < kAge) return tls_;
    stale_ = false;
    read_at_ = clock_.uptime();
    const absl::Status read = read_again();
    if (!read.ok()) base::log_warning("cannot use the changed certificates; using the last ones", {{"error", read}});
    return tls_;
  }

  void invalidate() override { stale_ = true; }

 private:
  absl::Status read_again() {
    net::TlsOptions now = *tls_;
    TG_RETURN_IF_ERROR(read_into(now.ca_pem, files_.ca));
    TG_RETURN_IF_ERROR(read_into(now.certificate_pem, files_.certificate));
    TG_RETURN_IF_ERROR(read_into(now.private_key_pem, files_.private_key));
    if (now == *tls_) return absl::OkStatus();
    TG_RETURN_IF_ERROR(check_usable(now));
    tls_ = std::make_shared<net::TlsOptions>(std::move(now));
    base::log_info("the certificates for the API server have changed; new connections use them");
    return absl::OkStatus();
  }

  TlsFiles files_;
  base::Clock& clock_;
  std::shared_ptr<const net::TlsOptions> tls_;
  absl::Duration read_at_;
  bool stale_ = false;
};

}  // namespace

std::unique_ptr<TlsSource> make_static_tls(net::TlsOptions tls) { return std::make_unique<StaticTls>(std::move(tls)); }

std::unique_ptr<TlsSource> make_file_tls(net::TlsOptions first, TlsFiles files, base::Clock& clock) {
  return std::make_unique<FileTls>(std::move(first), std::move(files), clock);
}

}  // namespace tidegate::kube
