#include "net/listening.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "net/url.h"

namespace tidegate::net {
namespace {

using boost::asio::ip::tcp;
using testing::HasSubstr;

TEST(HostAndPort, PutsIpv6AddressesIntoBrackets) {
  EXPECT_EQ(host_and_port("0.0.0.0", 80), "0.0.0.0:80");
  EXPECT_EQ(host_and_port("::1", 80), "[::1]:80");
}

TEST(BindTo, NamesAPortThatIsTakenAndWhatIsNoAddress) {
  boost::asio::io_context context;
  tcp::acceptor first(context), second(context);
  ASSERT_TRUE(bind_to(first, "127.0.0.1", 0).ok());
  first.listen();
  const uint16_t port = first.local_endpoint().port();
  EXPECT_EQ(bind_to(second, "127.0.0.1", port).message(),
            "Cannot listen on 127.0.0.1:" + std::to_string(port) + ": Address already in use");
  tcp::acceptor third(context);
  EXPECT_THAT(bind_to(third, "localhost", 1).message(), HasSubstr("'localhost' is no IPv4 or IPv6 address"));
}

TEST(CheckHttpUrl, WantsASchemeAHostAndAPortThatThereIs) {
  EXPECT_TRUE(check_http_url("http://host/path?x=1").ok());
  EXPECT_TRUE(check_http_url("https://[::1]:8443").ok());
  for (const char* wrong : {"", "host", "ftp://host", "http://", "http://:80/", "http://host:99999/", "http://a b/"}) {
    EXPECT_THAT(check_http_url(wrong).message(), HasSubstr(wrong)) << wrong;
    EXPECT_FALSE(check_http_url(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace tidegate::net
