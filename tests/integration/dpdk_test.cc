// The front door over DPDK instead of XDP, in the same lab: its ports are packet sockets (net_af_packet), which need neither a
// device of their own nor huge pages. Left out where the build found no DPDK.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

class DpdkTest : public SiteTest {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(binary("gatehouse-l4-dpdk"))) GTEST_SKIP() << "This build found no DPDK.";
    SiteTest::SetUp();
  }
  std::string config() override {
    const std::string interface = "interface = \"e0\"\n";
    const std::string dpdk =
        "dpdk = [\"--lcores=0@(0-1),1@(0-1)\", \"--no-huge\", \"--no-shconf\", \"--no-telemetry\", \"-m\", \"256\", \"--no-pci\", "
        "\"--vdev=net_af_packet0,iface=e0\"]\n";
    std::string text = quickstart_config();
    for (std::size_t at = 0; (at = text.find("[[l4_host]]", at)) != text.npos; at += dpdk.size()) {
      at = text.find(interface, at) + interface.size();
      text.insert(at, dpdk);
    }
    return text;
  }
};

TEST_F(DpdkTest, CarriesBothFamiliesBothWays) {
  for (const bool is_v6 : {false, true}) {
    EXPECT_EQ(site_->curl({"https://shop.example/healthz"}, is_v6).text, "ok\n");
    const lab::Output download =
        site_->curl({"https://shop.example/bytes/3000000", "-o", "/dev/null", "-w", "%{size_download}"}, is_v6);
    EXPECT_EQ(download.text, "3000000") << download.errors;
    const std::string upload = "head -c 3000000 /dev/zero | curl -sS --cacert " + site_->lab().ca_file() +
                               " --resolve shop.example:443:" + (is_v6 ? "[2001:db8:100::10]" : "198.51.100.10") +
                               " -T - https://shop.example/upload | jq -j .length";
    const lab::Output sent = site_->lab().run("client", {"sh", "-c", upload});
    EXPECT_EQ(sent.text, "3000000") << sent.errors;
  }
}

TEST_F(DpdkTest, SaysWhatItForwardsWith) {
  EXPECT_NE(site_->log("l4a").find("forwarding on net_af_packet0 (DPDK)"), std::string::npos) << site_->log("l4a");
  const lab::Output capture = site_->cli("l4a", {"capture", site_->lab().folder() + "/none.pcapng"});
  EXPECT_NE(capture.exit_code, 0);
  EXPECT_NE(capture.errors.find("this data plane cannot capture"), std::string::npos) << capture.errors;
}

TEST_F(DpdkTest, DrainOfANodeBreaksNothing) {
  Load load(*site_, {.connections = 60, .rate = 200, .new_rate = 10});
  ASSERT_EQ(site_->cli("l4a", {"drain", "n1"}).exit_code, 0);
  EXPECT_TRUE(lab::wait_until([&] { return site_->node("l4a", "n1").value("state", "") == "draining" &&
                                           site_->node("l4b", "n1").value("state", "") == "draining"; },
                              std::chrono::seconds(20), std::chrono::milliseconds(50)));
  ASSERT_EQ(site_->cli("l4a", {"undrain", "n1"}).exit_code, 0);
  EXPECT_TRUE(lab::wait_until([&] { return site_->node("l4a", "n1").value("state", "") == "active" &&
                                           site_->node("l4b", "n1").value("state", "") == "active"; },
                              std::chrono::seconds(20), std::chrono::milliseconds(50)));
  const Json report = load.stop();
  EXPECT_GT(report.value("ok", 0), 0);
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
}

}  // namespace
}  // namespace gatehouse::test
