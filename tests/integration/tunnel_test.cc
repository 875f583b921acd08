// Other shapes of the tunnel than that of config/quickstart.toml: IPv6 between the tiers, and a fabric without room for
// the outer header.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

class Ipv6TunnelTest : public SiteTest {
 protected:
  std::string config() override {
    std::string text = quickstart_config();
    for (const char* last : {"21", "23", "25"}) {
      text = replaced(text, std::string("address = \"192.0.2.") + last + "\"", std::string("address = \"2001:db8:2::") + last + "\"");
    }
    text = replaced(text, "address = \"192.0.2.11\"", "address = \"192.0.2.11\"\naddress_v6 = \"2001:db8:2::11\"");
    return replaced(text, "address = \"192.0.2.13\"", "address = \"192.0.2.13\"\naddress_v6 = \"2001:db8:2::13\"");
  }
};

TEST_F(Ipv6TunnelTest, CarriesBothFamiliesBothWays) {
  for (const bool is_v6 : {false, true}) {
    EXPECT_EQ(site_->curl({"https://shop.example/healthz"}, is_v6).text, "ok\n");
    const lab::Output download = site_->curl({"https://shop.example/bytes/3000000", "-o", "/dev/null", "-w", "%{size_download}"}, is_v6);
    EXPECT_EQ(download.text, "3000000") << download.errors;
    const std::string upload = "head -c 3000000 /dev/zero | curl -sS --cacert " + site_->lab().ca_file() + " --resolve shop.example:443:" +
                               (is_v6 ? "[2001:db8:100::10]" : "198.51.100.10") + " -T - https://shop.example/upload | jq -j .length";
    const lab::Output sent = site_->lab().run("client", {"sh", "-c", upload});
    EXPECT_EQ(sent.text, "3000000") << sent.errors;
  }
}

class SmallFabricTest : public SiteTest {
 protected:
  std::string config() override { return replaced(quickstart_config(), "fabric_mtu = 1600", "fabric_mtu = 1500"); }
};

// The largest segment that the client has been told to send, as its kernel shows it while an upload waits.
int client_segment(Site& site, bool is_v6) {
  const std::string address = is_v6 ? "[2001:db8:100::10]" : "198.51.100.10";
  const lab::Output output = site.lab().run("client", {"ss", "-tinH", "dst", address});
  const std::size_t at = output.text.find("advmss:");
  const std::size_t mss = output.text.find(" mss:");
  return at == std::string::npos || mss == std::string::npos ? 0 : std::atoi(output.text.c_str() + mss + 5);
}

TEST_F(SmallFabricTest, NodesAdvertiseWhatFitsWithTheTunnel) {
  for (const bool is_v6 : {false, true}) {
    const std::string curl = "head -c 20000000 /dev/zero | curl -sS --limit-rate 10M --cacert " + site_->lab().ca_file() +
                             " --resolve shop.example:443:" + (is_v6 ? "[2001:db8:100::10]" : "198.51.100.10") +
                             " -T - https://shop.example/upload | jq -j .length > " + site_->lab().host_folder("client") + "/length";
    ASSERT_TRUE(site_->lab().start("client", "upload", {"sh", "-c", curl}));
    int segment = 0;
    EXPECT_TRUE(lab::wait_until([&] { return (segment = client_segment(*site_, is_v6)) > 1000; }, std::chrono::seconds(5)));
    // 1500 less 40 of the outer header, less the inner header (40 or 60) and its 12 bytes of timestamps.
    EXPECT_LE(segment, is_v6 ? 1500 - 40 - 60 : 1500 - 40 - 40);
    EXPECT_GT(segment, 1300);
    ASSERT_TRUE(lab::wait_until([&] { return !site_->lab().find("upload"); }, std::chrono::seconds(20)));
    std::ifstream length(site_->lab().host_folder("client") + "/length");
    std::string text;
    length >> text;
    EXPECT_EQ(text, "20000000") << site_->log("upload");
    EXPECT_FALSE(site_->status("l4a")["verdicts"].contains("vip_too_big"));
  }
}

}  // namespace
}  // namespace gatehouse::test
