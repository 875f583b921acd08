// Plain servers behind translation, which ask nothing of them: UDP and TCP, both families, servers that
// drain, die, come back and change weight, daemons that are killed.
#include <signal.h>

#include <set>

#include "common/hex.h"
#include "l4/quic_cid.h"
#include "tests/integration/service_site.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class NatServices : public ServiceSiteTest {
 protected:
  std::string services() override { return services_with("100", "100"); }
  static std::string services_with(const std::string& first, const std::string& second) {
    const auto service = [&](const std::string& name, int id, const std::string& a, const std::string& b,
                             int port, const std::string& check) {
      const auto server = [&](int number, const std::string& address, const std::string& weight) {
        return "{ id = " + std::to_string(id + number) + ", name = \"" + name + "-s" +
               std::to_string(number) + "\", address = \"" + address + "\", port = " + std::to_string(port) +
               ", weight = " + weight + ", quic_id = \"0" + std::to_string(number) + "\" }";
      };
      return "[[service]]\nname = \"" + name + "\"\nvips = [\"" + name +
             "\"]\nencapsulation = \"nat\"\nservers = [" + server(1, a, first) + ", " + server(2, b, second) +
             "]\ncheck = { " + check + ", interval = \"100ms\", timeout = \"100ms\", rise = 2, fall = 2 }\n" +
             (name == "quic" ? "quic = [{ nonce_length = 6 }]\n" : "") + "\n";
    };
    const std::string udp = "kind = \"udp\", request = '?\\n', expect = \"s\"";
    return service("dns", 100, "203.0.113.129", "203.0.113.131", 5353, udp) +
           service("dns6", 110, "2001:db8:113::81", "2001:db8:113::83", 5353, udp) +
           service("sql", 120, "203.0.113.129", "203.0.113.131", 15432, "kind = \"tcp\"") +
           service("sql6", 130, "2001:db8:113::81", "2001:db8:113::83", 15432, "kind = \"tcp\"") +
           service("quic", 140, "203.0.113.129", "203.0.113.131", 4433, udp);
  }
  void start_servers() override {
    start_both("b1", "s1", "203.0.113.129", "[2001:db8:113::81]");
    start_both("b2", "s2", "203.0.113.131", "[2001:db8:113::83]");
  }
  void start_both(const std::string& host, const std::string& name, const std::string& v4,
                  const std::string& v6) {
    start_server(host, name,
                 {"--udp", v4 + ":5353", "--udp", v4 + ":4433", "--udp", v6 + ":5353", "--tcp", v4 + ":15432",
                  "--tcp", v6 + ":15432"});
  }

  static Flows::Shape udp(int port_base, bool is_v6 = false) {
    return {is_v6 ? "[2001:db8:100::10]:53" : "198.51.100.10:53", true, 40, port_base, {}};
  }
  static Flows::Shape tcp(int port_base, bool is_v6 = false) {
    return {is_v6 ? "[2001:db8:100::10]:5432" : "198.51.100.10:5432", false, 40, port_base, {}};
  }
  static void expect_undisturbed(const Json& report) {
    EXPECT_EQ(report.value("answered", 0), report.value("flows", -1)) << report.dump();
    EXPECT_EQ(report.value("moved", -1), 0) << report.dump();
    EXPECT_EQ(report.value("broken", -1), 0) << report.dump();
  }
  static std::set<std::string> servers_of(const Json& report) {
    std::set<std::string> names;
    const Json servers = report.value("servers", Json::object());
    for (const auto& [name, flows] : servers.items()) names.insert(name);
    return names;
  }
};

TEST_F(NatServices, AnswerOverBothProtocolsAndFamiliesThroughBothL4Hosts) {
  for (const bool is_v6 : {false, true}) {
    for (const auto& shape : {udp(20000, is_v6), tcp(21000, is_v6)}) {
      Flows flows(*lab_, shape);
      EXPECT_TRUE(flows.are_answered());
      const Json report = flows.stop();
      expect_undisturbed(report);
      EXPECT_EQ(servers_of(report), (std::set<std::string>{"s1", "s2"}));
    }
  }
  for (const char* host : {"l4a", "l4b"})
    EXPECT_GT(status(host)["verdicts"].value("forwarded", 0), 0) << host;
  EXPECT_GT(status("l4b")["verdicts"].value("translated_back", 0), 0);
}

TEST_F(NatServices, ADrainingServerKeepsItsFlowsAndGetsNoNewOnes) {
  Flows old_udp(*lab_, udp(20000)), old_tcp(*lab_, tcp(21000));
  for (const char* name : {"dns-s1", "sql-s1"}) {
    on_both({"drain", name});
    EXPECT_TRUE(wait_for_state(name, "draining"));
  }
  Flows new_udp(*lab_, udp(22000)), new_tcp(*lab_, tcp(23000));
  for (Flows* flows : {&old_udp, &old_tcp}) {
    EXPECT_TRUE(flows->are_answered());
    const Json report = flows->stop();
    expect_undisturbed(report);
    EXPECT_EQ(servers_of(report), (std::set<std::string>{"s1", "s2"}));
  }
  for (Flows* flows : {&new_udp, &new_tcp})
    EXPECT_EQ(servers_of(flows->stop()), (std::set<std::string>{"s2"}));
  for (const char* name : {"dns-s1", "sql-s1"}) {
    on_both({"undrain", name});
    EXPECT_TRUE(wait_for_state(name, "active"));
  }
  Flows after(*lab_, udp(24000));
  EXPECT_EQ(servers_of(after.stop()), (std::set<std::string>{"s1", "s2"}));
}

TEST_F(NatServices, AChangeOfWeightsMovesNoFlow) {
  Flows old_udp(*lab_, udp(20000)), old_tcp(*lab_, tcp(21000));
  write_config(services_with("0", "100"));
  on_both({"reload"});
  EXPECT_TRUE(wait_for_state("dns-s1", "draining"));
  Flows fresh(*lab_, udp(22000));
  EXPECT_EQ(servers_of(fresh.stop()), (std::set<std::string>{"s2"}));
  write_config(services_with("10", "1000"));
  on_both({"reload"});
  EXPECT_TRUE(wait_for_state("dns-s1", "active"));
  for (Flows* flows : {&old_udp, &old_tcp}) {
    EXPECT_TRUE(flows->are_answered());
    expect_undisturbed(flows->stop());
  }
}

TEST_F(NatServices, ADeadServersFlowsGoToTheOthersAndTheOthersStay) {
  Flows flows(*lab_, udp(20000)), connections(*lab_, tcp(21000));
  const int of_first = connections.report()["servers"].value("s1", 0);
  const int udp_of_first = flows.report()["servers"].value("s1", 0);
  ASSERT_GT(of_first, 0);
  ASSERT_GT(udp_of_first, 0);
  ASSERT_TRUE(lab_->kill("s1"));
  EXPECT_TRUE(wait_for_state("dns-s1", "down"));
  EXPECT_TRUE(wait_for_state("sql-s1", "down"));
  EXPECT_TRUE(flows.are_answered());
  const Json report = flows.stop(), broken = connections.stop();
  EXPECT_EQ(report.value("moved", -1), udp_of_first) << report.dump();
  EXPECT_EQ(servers_of(report), (std::set<std::string>{"s2"}));
  EXPECT_EQ(broken.value("broken", -1), of_first) << broken.dump();
  EXPECT_EQ(broken.value("moved", -1), 0) << broken.dump();
  ASSERT_TRUE(lab_->restart("s1"));
  EXPECT_TRUE(wait_for_state("dns-s1", "active"));
  Flows after(*lab_, udp(22000));
  EXPECT_EQ(servers_of(after.stop()), (std::set<std::string>{"s1", "s2"}));
}

TEST_F(NatServices, SigkillAndRestartOfADaemonForgetNoFlow) {
  Flows flows(*lab_, udp(20000)), connections(*lab_, tcp(21000));
  on_both({"drain", "dns-s1"});
  on_both({"drain", "sql-s1"});
  for (const char* host : {"l4a", "l4b"}) {
    ASSERT_TRUE(lab_->kill(host));
    EXPECT_TRUE(flows.are_answered());
    ASSERT_TRUE(lab_->restart(host));
  }
  EXPECT_TRUE(wait_for_state("dns-s1", "draining"));
  EXPECT_TRUE(wait_for_state("dns-s2", "active"));
  for (Flows* each : {&flows, &connections}) {
    EXPECT_TRUE(each->are_answered());
    const Json report = each->stop();
    expect_undisturbed(report);
    EXPECT_EQ(servers_of(report), (std::set<std::string>{"s1", "s2"}));
  }
}

TEST_F(NatServices, AnL4HostThatGoesTakesNoFlowWithIt) {
  Flows flows(*lab_, udp(20000)), connections(*lab_, tcp(21000));
  ASSERT_TRUE(lab_->route_vips({"l4b"}));
  for (Flows* each : {&flows, &connections}) {
    EXPECT_TRUE(each->are_answered());
    expect_undisturbed(each->stop());
  }
}

TEST_F(NatServices, QuicFlowsFollowTheirConnectionIdWhateverPortTheyComeFrom) {
  int port = 20000;
  for (const std::uint8_t server : {1, 2}) {
    const std::uint8_t server_id[] = {server}, nonce[] = {9, 8, 7, 6, 5, 4};
    std::vector<std::uint8_t> packet = l4::make_connection_id({0, 1, 6, std::nullopt}, server_id, nonce);
    packet.insert(packet.begin(), 0x41);
    packet.resize(packet.size() + 24, 0xaa);
    Flows flows(*lab_, {"198.51.100.10:443", true, 40, port += 1000, to_hex(packet)});
    const Json report = flows.stop();
    expect_undisturbed(report);
    EXPECT_EQ(servers_of(report), (std::set<std::string>{"s" + std::to_string(server)}));
  }
}

}  // namespace
}  // namespace gatehouse::test
