// Path MTU discovery through the front door, with the kernels' own ICMP over the lab's links: errors about a
// VIP's connections find the node that has them, and clients are told what the fabric carries.
#include <gtest/gtest.h>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::seconds;

using NarrowClientTest = SiteTest;

// What the L4 hosts have forwarded of ICMP errors.
int errors_forwarded(Site& site) {
  int errors = 0;
  for (const char* host : {"l4a", "l4b"}) {
    const Json status = site.status(host);
    for (const Json& vip : status["vips"]) errors += vip.value("icmp_errors", 0);
  }
  return errors;
}

// Nodes send segments as long as the client asked for, which its link does not carry: the router says so to
// the VIP, and the segments never get there unless the node with the connection hears of it.
TEST_F(NarrowClientTest, DownloadsArriveBecauseTheOwnerHearsOfTheNarrowLink) {
  const lab::Output narrowed = site_->lab().run("router", {"ip", "link", "set", "client", "mtu", "1300"});
  ASSERT_EQ(narrowed.exit_code, 0) << narrowed.errors;
  int before = 0;
  for (const bool is_v6 : {false, true}) {
    const lab::Output download = site_->curl(
        {"https://shop.example/bytes/3000000", "-o", "/dev/null", "-w", "%{size_download}"}, is_v6);
    EXPECT_EQ(download.text, "3000000") << download.errors;
    const int errors = errors_forwarded(*site_);
    EXPECT_GT(errors, before) << (is_v6 ? "IPv6" : "IPv4");
    before = errors;
  }
}

class NarrowFabricTest : public SiteTest {
 protected:
  std::string config() override {
    return replaced(quickstart_config(), "fabric_mtu = 1600", "fabric_mtu = 1500") +
           "\n[[vip]]\nname = \"dns\"\naddress = \"198.51.100.10\"\nport = 53\nprotocol = \"udp\"\n" +
           "\n[[vip]]\nname = \"dns6\"\naddress = \"2001:db8:100::10\"\nport = 53\nprotocol = \"udp\"\n";
  }
};

// 1500 bytes of the fabric less 40 of the outer header.
TEST_F(NarrowFabricTest, TellsTheClientsKernelWhatFits) {
  const struct {
    const char* vip;
    int payload;  // of a packet of 1500 bytes
  } rows[] = {{"198.51.100.10", 1472}, {"2001:db8:100::10", 1452}};
  for (const auto& row : rows) {
    const std::string send =
        "head -c " + std::to_string(row.payload) + " /dev/zero > /dev/udp/" + row.vip + "/53";
    lab::Output route;
    EXPECT_TRUE(lab::wait_until(
        [&] {
          (void)site_->lab().run("client", {"bash", "-c", send});
          route = site_->lab().run("client", {"ip", "route", "get", row.vip});
          return route.text.find("mtu 1460") != std::string::npos;
        },
        seconds(10)))
        << route.text << route.errors;
  }
}

}  // namespace
}  // namespace gatehouse::test
