#include "kube/tls_source.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/scratch_folder.h"
#include "net/certificate.h"

namespace tidegate::kube {
namespace {

// Files as the kubelet writes them, on a clock that moves by hand.
class TlsSourceTest : public ::testing::Test {
 protected:
  TlsSourceTest() {
    write(before_);
    source_ = make_file_tls({.ca_pem = before_.certificate_pem,
                             .certificate_pem = before_.certificate_pem,
                             .private_key_pem = before_.private_key_pem,
                             .server_name = "api"},
                            {path("ca"), path("crt"), path("key")}, clock_);
  }

  std::string path(const std::string& name) const { return directory_ / name; }
  void write(const std::string& name, const std::string& text) { directory_.write(name, text); }
  void write(const net::KeyPair& pair) {
    write("ca", pair.certificate_pem);
    write("crt", pair.certificate_pem);
    write("key", pair.private_key_pem);
  }
  net::KeyPair pair(const std::string& name) {
    return net::make_authority({.common_name = name, .now = clock_.now()}).value();
  }

  base::ManualClock clock_;
  const base::ScratchFolder directory_;
  const net::KeyPair before_ = pair("before");
  const net::KeyPair after_ = pair("after");
  std::unique_ptr<TlsSource> source_;
};

TEST_F(TlsSourceTest, ReadsItsFilesAgainAfterTenSeconds) {
  write(after_);
  clock_.advance(absl::Seconds(9));
  EXPECT_EQ(source_->tls()->certificate_pem, before_.certificate_pem);
  clock_.advance(absl::Seconds(1));
  const auto tls = source_->tls();
  EXPECT_EQ(tls->ca_pem, after_.certificate_pem);
  EXPECT_EQ(tls->certificate_pem, after_.certificate_pem);
  EXPECT_EQ(tls->private_key_pem, after_.private_key_pem);
  EXPECT_EQ(tls->server_name, "api") << "what no file says stays";
}

TEST_F(TlsSourceTest, ReadsItsFilesAtOnceWhenTheServerDidNotTakeWhatTheyHeld) {
  write(after_);
  source_->invalidate();
  EXPECT_EQ(source_->tls()->certificate_pem, after_.certificate_pem);
}

TEST_F(TlsSourceTest, StaysTheSameWhileNothingChanges) {
  const auto first = source_->tls();
  write(before_);
  clock_.advance(absl::Hours(1));
  EXPECT_EQ(source_->tls(), first) << "else every look would cost a handshake";
}

TEST_F(TlsSourceTest, WaitsUntilAReplacedCertificateHasItsKey) {
  write("crt", after_.certificate_pem);
  clock_.advance(absl::Seconds(10));
  EXPECT_EQ(source_->tls()->certificate_pem, before_.certificate_pem);
  write("key", after_.private_key_pem);
  clock_.advance(absl::Seconds(10));
  EXPECT_EQ(source_->tls()->certificate_pem, after_.certificate_pem);
}

TEST_F(TlsSourceTest, KeepsWhatItHasWhileAFileIsAwayOrHalfWritten) {
  for (const std::string& text : {std::string(), after_.certificate_pem.substr(0, 100), std::string("\x01\xff")}) {
    write("ca", text);
    clock_.advance(absl::Minutes(1));
    EXPECT_EQ(source_->tls()->ca_pem, before_.certificate_pem) << text;
  }
  std::filesystem::remove(path("ca"));
  clock_.advance(absl::Minutes(1));
  EXPECT_EQ(source_->tls()->ca_pem, before_.certificate_pem);
  write("ca", after_.certificate_pem);
  clock_.advance(absl::Minutes(1));
  EXPECT_EQ(source_->tls()->ca_pem, after_.certificate_pem);
}

TEST_F(TlsSourceTest, TakesBothFromOneFileAsTheKubeletWritesIt) {
  auto source = make_file_tls({}, {"", path("both"), path("both")}, clock_);
  write("both", after_.certificate_pem + after_.private_key_pem);
  source->invalidate();
  EXPECT_TRUE(net::check_identity({source->tls()->certificate_pem, source->tls()->private_key_pem, ""}).ok());
  EXPECT_EQ(source->tls()->ca_pem, "");
}

}  // namespace
}  // namespace tidegate::kube
