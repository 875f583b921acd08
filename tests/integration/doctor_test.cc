// `gatehouse doctor` in a lab: a healthy site has no fault, and each fault that is planted is found by its
// name.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/integration/bgp_site.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

class DoctorTest : public SiteTest {
 protected:
  // A listener of its own beside those of VIPs, for what can be wrong with ports.
  std::string config() override {
    return quickstart_config() + "\n[[listener]]\nname = \"admin\"\naddresses = [\"127.0.0.1:8081\"]\n";
  }

  lab::Output examine(const std::string& host, const std::vector<std::string>& prefix = {}) {
    lab::Arguments argv = prefix;
    const lab::Arguments command = {binary("gatehouse"), "doctor",
                                    "--config",          site_->config_file(host),
                                    "--state-dir",       site_->lab().host_folder(host) + "/state",
                                    "--bpf-dir",         site_->lab().bpf_folder(host),
                                    "--bird-socket",     site_->lab().host_folder(host) + "/bird.ctl"};
    argv.insert(argv.end(), command.begin(), command.end());
    return site_->lab().run(host, argv);
  }

  // The names of its faults. The machine's own clock is nobody's to plant.
  std::set<std::string> faults(const lab::Output& output) {
    std::set<std::string> names;
    std::istringstream lines(output.text);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("FAULT ")) names.insert(line.substr(6, line.find(':') - 6));
    }
    EXPECT_EQ(output.exit_code, names.empty() ? 0 : 1) << output.text << output.errors;
    names.erase("clock");
    return names;
  }

  void on(const std::string& host, const std::string& command) {
    const lab::Output output = site_->lab().run(host, {"sh", "-c", command});
    ASSERT_EQ(output.exit_code, 0) << command << ": " << output.errors;
  }

  using Names = std::set<std::string>;
};

TEST_F(DoctorTest, FindsNoFaultInAHealthySite) {
  for (const char* host : {"l4a", "l4b", "n1", "n2", "n3"}) {
    const lab::Output output = examine(host);
    EXPECT_EQ(faults(output), Names()) << output.text;
    EXPECT_EQ(output.text.find("tcp_migrate_req") != std::string::npos, host[0] == 'n') << "a new namespace has none";
    const std::string who = std::string(host[0] == 'l' ? "L4 host " : "node ") + host + ", pid ";
    EXPECT_NE(output.text.find(who), std::string::npos) << "found by its address: " << output.text;
  }
}

TEST_F(DoctorTest, FindsEachFaultOfANetworkByName) {
  const struct {
    const char* host;
    const char* fault;
    const char* plant;
    const char* cure;
  } rows[] = {
      {"n1", "syn-cookies", "echo 0 > /proc/sys/net/ipv4/tcp_syncookies",
       "echo 1 > /proc/sys/net/ipv4/tcp_syncookies"},
      {"n1", "timestamps", "echo 0 > /proc/sys/net/ipv4/tcp_timestamps",
       "echo 1 > /proc/sys/net/ipv4/tcp_timestamps"},
      {"n1", "rp-filter", "echo 1 > /proc/sys/net/ipv4/conf/e0/rp_filter",
       "echo 0 > /proc/sys/net/ipv4/conf/e0/rp_filter"},
      {"n1", "addresses", "ip address del 198.51.100.10/32 dev lo", "ip address add 198.51.100.10/32 dev lo"},
      {"n1", "mtu", "ip link set e0 mtu 1500", "ip link set e0 mtu 1600"},
      {"l4a", "checksums", "ethtool -K e0 tx on", "ethtool -K e0 tx off"},
      {"l4a", "probe-route", "ip route add unreachable 192.0.0.8", "ip route del unreachable 192.0.0.8"},
      {"l4a", "mtu", "ip link set e0 mtu 1500", "ip link set e0 mtu 1600"},
  };
  for (const auto& row : rows) {
    const Names before = faults(examine(row.host));
    on(row.host, row.plant);
    const lab::Output output = examine(row.host);
    Names expected = before;
    expected.insert(row.fault);
    EXPECT_EQ(faults(output), expected) << row.plant << "\n" << output.text;
    on(row.host, row.cure);
    EXPECT_EQ(faults(examine(row.host)), before) << row.cure;
  }
}

TEST_F(DoctorTest, FindsEachFaultOfFilesPortsAndLimitsByName) {
  const std::string good = config();
  const auto with = [&](const std::string& from, const std::string& to) {
    site_->write_config(replaced(good, from, to), "n1");
    const Names names = faults(examine("n1"));
    site_->write_config(good, "n1");
    return names;
  };
  EXPECT_EQ(with("[workers]\n", "[workers]\nuser = \"nobody-at-all\"\n"), Names{"user"});
  EXPECT_EQ(with("tls/shop.example.key", "tls/blog.example.key"), Names{"certificates"});
  EXPECT_EQ(with("name = \"n1\"\naddress = \"192.0.2.21\"\ninterface = \"e0\"",
                 "name = \"n1\"\naddress = \"192.0.2.21\"\ninterface = \"e9\""),
            Names{"interface"});
  EXPECT_EQ(with("[[route]]\n", "[[route]]\nname = \"sorry\"\npath_prefix = \"/sorry\"\nresponse = { file = \"away.html\" }\n[[route]]\n"),
            Names{"files"});
  EXPECT_EQ(with("[probe]\n", "[[listner]]\n[probe]\n"), Names{"config"});
  const std::string key = site_->lab().host_folder("l4a") + "/tls/control.key";
  std::filesystem::rename(key, key + ".away");
  EXPECT_EQ(faults(examine("l4a")), Names{"control"});
  std::filesystem::rename(key + ".away", key);
  // What a daemon that died leaves, and who took its place meanwhile.
  for (const char* host : {"l4b", "n1"}) {
    site_->lab().kill_all(host);
    EXPECT_EQ(faults(examine(host)), Names{"pins"}) << host;
  }
  ASSERT_TRUE(site_->lab()
                  .start("n1", "thief",
                         {binary("gatehouse-backend"), "--listen", "127.0.0.1:8081", "--name", "thief"})
                  .has_value());
  ASSERT_TRUE(
      lab::wait_until([&] { return faults(examine("n1")).contains("ports"); }, std::chrono::seconds(20)));
  EXPECT_EQ(faults(examine("n1", {"prlimit", "--nofile=1000:1000"})), (Names{"open-files", "pins", "ports"}));
}

class DoctorOfAnnouncements : public DoctorTest {
 protected:
  std::string config() override { return bgp_config(); }
};

TEST_F(DoctorOfAnnouncements, FindsABirdThatIsAwayHasNoSessionOrAnotherConfig) {
  if (const std::string reason = why_not("bird"); !reason.empty()) GTEST_SKIP() << reason;
  EXPECT_EQ(faults(examine("l4a")), Names{"bird"}) << "not started yet";
  BgpSite bgp(*site_);
  const Status up = bgp.up();
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_EQ(faults(examine("l4a")), Names());
  ASSERT_TRUE(site_->lab().kill("bird-router").has_value());
  ASSERT_TRUE(
      lab::wait_until([&] { return faults(examine("l4a")) == Names{"bird"}; }, std::chrono::seconds(30)));
  EXPECT_NE(examine("l4a").text.find("is not established"), std::string::npos);
  const std::string file = site_->lab().host_folder("l4a") + "/bird.conf";
  std::ofstream(file) << "router id 192.0.2.11;\nprotocol device { }\n";
  bgp.ask_bird("l4a", {"configure"});
  EXPECT_NE(examine("l4a").text.find("FAULT bird: BIRD runs with another config than the site's"),
            std::string::npos)
      << examine("l4a").text;
}

TEST_F(DoctorTest, SaysWhoIsMissingFromTheConfig) {
  const lab::Output output = site_->lab().run(
      "n1", {binary("gatehouse"), "doctor", "--config", site_->config_file("n1"), "--node", "n11"});
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_NE(output.errors.find("there is no [[node]] \"n11\"; did you mean \"n1\"?"), std::string::npos)
      << output.errors;
}

}  // namespace
}  // namespace gatehouse::test
