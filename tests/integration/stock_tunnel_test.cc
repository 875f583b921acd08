// Servers that take packets out of the tunnel with what Linux has: ipip and ip6tnl devices, and fou for GUE
// without our field. Skipped, with the reason, by kernels that were built without them.
#include <cstdlib>

#include "tests/integration/service_site.h"

namespace gatehouse::test {
namespace {

using std::chrono::seconds;

class StockTunnels : public ServiceSiteTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
    if (std::system("unshare -n ip link add probe type ipip local 192.0.2.1 2> /dev/null") != 0) {
      GTEST_SKIP() << "This kernel has no ipip tunnels.";
    }
    if (is_gue() && std::system("unshare -n ip fou add port 6080 gue 2> /dev/null") != 0) {
      GTEST_SKIP() << "This kernel has no fou.";
    }
    ServiceSiteTest::SetUp();
  }
  bool is_gue() const { return std::string(GetParam()) == "gue"; }

  std::string services() override {
    return "[[service]]\nname = \"sql\"\nvips = [\"sql\"]\nencapsulation = \"" + std::string(GetParam()) +
           "\"\nservers = [{ id = 100, name = \"s1\", address = \"203.0.113.129\" }, { id = 101, name = "
           "\"s2\", address = "
           "\"203.0.113.131\" }]\ncheck = { kind = \"tcp\", way = \"direct\", interval = \"100ms\", timeout "
           "= \"100ms\", rise = 2, fall = 2 }\n";
  }
  void start_servers() override {
    open_tunnel("b1", "203.0.113.129");
    open_tunnel("b2", "203.0.113.131");
    start_server("b1", "s1", {"--tcp", "0.0.0.0:5432"});
    start_server("b2", "s2", {"--tcp", "0.0.0.0:5432"});
  }
  void open_tunnel(const std::string& host, const std::string& address) {
    if (is_gue()) ip(host, "fou add port 6080 gue");
    ip(host, "link add stock type ipip local " + address);
    ip(host, "link set stock up");
    ip(host, "address add 198.51.100.10/32 dev lo");
    const lab::Output output = lab_->run(
        host, {"sh", "-c", "for d in all stock; do echo 0 > /proc/sys/net/ipv4/conf/$d/rp_filter; done"});
    EXPECT_EQ(output.exit_code, 0) << output.errors;
  }
};
INSTANTIATE_TEST_SUITE_P(, StockTunnels, testing::Values("ipip", "gue"),
                         [](const auto& row) { return std::string(row.param); });

TEST_P(StockTunnels, TakeConnectionsOut) {
  Flows flows(*lab_, {"198.51.100.10:5432", false, 40, 21000, {}});
  EXPECT_TRUE(flows.are_answered());
  const Json report = flows.stop();
  EXPECT_EQ(report.value("broken", -1), 0) << report.dump();
  EXPECT_EQ(report["servers"].size(), 2u) << report.dump();
}

}  // namespace
}  // namespace gatehouse::test
