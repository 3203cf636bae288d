#include "operator/certificates/certificate_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/kube_fixture.h"
#include "kube/types.h"
#include "operator/rendering/names.h"

namespace tidegate::operator_ {
namespace {

using base::ObjectKey;
using testing::Contains;
using testing::HasSubstr;

const ObjectKey kAuthority{"tidegate-system", kAuthoritySecret};
const ObjectKey kGateway{"tidegate-system", kGatewayTlsSecret};

class Certificates : public kube::KubeTest {
 protected:
  ~Certificates() override {
    scope_.cancel();
    settle();
  }
  kube::Secret secret(const ObjectKey& key) {
    return kube::decode_secret(*server_.get(kube::resources::secrets(), key)).value();
  }
  net::TlsIdentity gateway_identity() {
    const kube::Secret stored = secret(kGateway);
    return {stored.data.at("tls.crt"), stored.data.at("tls.key"), stored.data.at("ca.crt")};
  }
  std::unique_ptr<CertificateManager> replica(std::vector<net::TlsIdentity>& identities) {
    return std::make_unique<CertificateManager>(
        client_, clock_, CertificateOptions{"tidegate-system", "cluster.local"},
        [&identities](const net::TlsIdentity& identity) { identities.push_back(identity); });
  }

  std::vector<net::TlsIdentity> identities_;
  std::unique_ptr<CertificateManager> manager_ = replica(identities_);
};

TEST_F(Certificates, TheFirstReplicaMakesTheAuthorityAndTheOthersUseIt) {
  std::vector<net::TlsIdentity> others;
  auto other = replica(others);
  ASSERT_TRUE(await(manager_->start(scope_)).ok());
  ASSERT_TRUE(await(other->start(scope_)).ok());
  ASSERT_EQ(identities_.size(), 1u);
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(identities_[0].ca_pem, others[0].ca_pem);
  EXPECT_TRUE(net::check_identity(identities_[0]).ok());
  EXPECT_NE(identities_[0].certificate_pem, others[0].certificate_pem);
  const auto info = net::parse_certificate(identities_[0].certificate_pem).value();
  EXPECT_THAT(info.uris, Contains(kOperatorIdentity));
  EXPECT_THAT(info.dns_names, Contains("tidegate-xds.tidegate-system.svc"));
}

TEST_F(Certificates, OfTwoReplicasThatStartAtOnceOneWinsAndBothTrustIt) {
  std::vector<net::TlsIdentity> others;
  auto other = replica(others);
  std::optional<absl::Status> first;
  std::optional<absl::Status> second;
  loop_.spawn(kube::keep_result(manager_->start(scope_), &first));
  loop_.spawn(kube::keep_result(other->start(scope_), &second));
  settle();
  ASSERT_TRUE(first && first->ok() && second && second->ok());
  EXPECT_EQ(identities_.at(0).ca_pem, others.at(0).ca_pem);
}

TEST_F(Certificates, AnAuthorityThatCannotBeUsedIsNotReplacedButTold) {
  server_.put(kube::resources::secrets(), {{"metadata", {{"name", kAuthority.name}, {"namespace", kAuthority.ns}}},
                                           {"data", {{"ca.crt", "bm9uc2Vuc2U="}}}});
  const absl::Status started = await(manager_->start(scope_));
  EXPECT_EQ(started.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(started.message()), HasSubstr("tidegate-system/tidegate-ca"));
  EXPECT_THAT(identities_, testing::IsEmpty());
}

TEST_F(Certificates, TheLeaderGivesTheGatewaysTheirIdentityAndRenewsItInTime) {
  ASSERT_TRUE(await(manager_->start(scope_)).ok());
  loop_.spawn(manager_->keep_gateway_identity(scope_));
  settle();
  const net::TlsIdentity first = gateway_identity();
  EXPECT_TRUE(net::check_identity(first).ok());
  const auto info = net::parse_certificate(first.certificate_pem).value();
  EXPECT_THAT(info.uris, Contains(kGatewayIdentity));

  pass(net::renewal_time(info) - clock_.now() - absl::Hours(2));
  EXPECT_EQ(gateway_identity().certificate_pem, first.certificate_pem);
  pass(absl::Hours(4));
  EXPECT_NE(gateway_identity().certificate_pem, first.certificate_pem);
  EXPECT_TRUE(net::check_identity(gateway_identity()).ok());
}

TEST_F(Certificates, AGatewayIdentityOfAnotherAuthorityIsReplaced) {
  ASSERT_TRUE(await(manager_->start(scope_)).ok());
  loop_.spawn(manager_->keep_gateway_identity(scope_));
  settle();
  const std::string old_authority = gateway_identity().ca_pem;
  scope_.cancel();
  settle();

  server_.erase(kube::resources::secrets(), kAuthority);
  base::Scope next;
  std::vector<net::TlsIdentity> others;
  auto other = replica(others);
  ASSERT_TRUE(await(other->start(next)).ok());
  loop_.spawn(other->keep_gateway_identity(next));
  settle();
  EXPECT_NE(gateway_identity().ca_pem, old_authority);
  EXPECT_EQ(gateway_identity().ca_pem, others.at(0).ca_pem);
  next.cancel();
  settle();
}

TEST_F(Certificates, AnAuthorityThatWasDeletedIsPutBackAsItWas) {
  ASSERT_TRUE(await(manager_->start(scope_)).ok());
  loop_.spawn(manager_->keep_own_identity(scope_));
  loop_.spawn(manager_->keep_gateway_identity(scope_));
  settle();
  const std::string authority = secret(kAuthority).data.at("ca.key");
  server_.erase(kube::resources::secrets(), kAuthority);
  pass(absl::Hours(2));
  EXPECT_EQ(secret(kAuthority).data.at("ca.key"), authority);
  EXPECT_EQ(identities_.size(), 1u);
}

// Both ends, at every hour of a change: whoever presents a certificate is trusted by everyone who may look at it.
TEST_F(Certificates, TheAuthorityIsReplacedWithoutAMomentInWhichSomebodyIsNotTrusted) {
  const CertificateOptions options{"tidegate-system", "cluster.local", absl::Hours(24 * 120)};
  std::vector<net::TlsIdentity> first;
  std::vector<net::TlsIdentity> second;
  CertificateManager leader(client_, clock_, options, [&](const net::TlsIdentity& i) { first.push_back(i); });
  CertificateManager standby(client_, clock_, options, [&](const net::TlsIdentity& i) { second.push_back(i); });
  ASSERT_TRUE(await(leader.start(scope_)).ok());
  ASSERT_TRUE(await(standby.start(scope_)).ok());
  loop_.spawn(leader.keep_gateway_identity(scope_));
  loop_.spawn(leader.keep_own_identity(scope_));
  loop_.spawn(standby.keep_own_identity(scope_));
  settle();
  const std::string authority = secret(kAuthority).data.at("ca.crt");
  const auto trusts = [](const net::TlsIdentity& who, const net::TlsIdentity& whom) {
    return net::check_identity({whom.certificate_pem, whom.private_key_pem, who.ca_pem});
  };
  bool both_trusted = false;
  for (int hour = 0; hour < 24 * 100; ++hour) {
    pass(absl::Hours(1));
    const net::TlsIdentity gateway = gateway_identity();
    for (const net::TlsIdentity& replica : {first.back(), second.back()}) {
      ASSERT_TRUE(trusts(replica, gateway).ok()) << "hour " << hour << ": " << trusts(replica, gateway);
      ASSERT_TRUE(trusts(gateway, replica).ok()) << "hour " << hour << ": " << trusts(gateway, replica);
    }
    both_trusted = both_trusted || secret(kAuthority).data.contains("next.crt");
  }
  EXPECT_TRUE(both_trusted);
  EXPECT_NE(secret(kAuthority).data.at("ca.crt"), authority);
  EXPECT_EQ(secret(kAuthority).data.at("previous.crt"), authority);
  EXPECT_FALSE(secret(kAuthority).data.contains("next.crt"));
  scope_.cancel();
  settle();
}

TEST_F(Certificates, EachReplicaRenewsItsOwnInTime) {
  ASSERT_TRUE(await(manager_->start(scope_)).ok());
  loop_.spawn(manager_->keep_own_identity(scope_));
  pass(absl::Hours(24 * 59));
  EXPECT_EQ(identities_.size(), 1u);
  pass(absl::Hours(24 * 2));
  EXPECT_EQ(identities_.size(), 2u);
  EXPECT_TRUE(net::check_identity(identities_.back()).ok());
}

}  // namespace
}  // namespace tidegate::operator_
