// The lab by itself: what it promises to tests that use it, checked with ip and ping alone.
#include "tests/lab/lab.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>

namespace gatehouse::lab {
namespace {

namespace fs = std::filesystem;

Topology site() {
  auto topology = load_topology(GATEHOUSE_SOURCE_DIR "/tests/lab/site.toml");
  GH_CHECK(topology.has_value());
  return std::move(*topology);
}

class LabTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = Lab::why_unsupported()) GTEST_SKIP() << *reason;
    auto lab = Lab::up(site());
    ASSERT_TRUE(lab) << lab.error().message;
    lab_ = std::move(*lab);
  }

  bool can_ping(const std::string& host, const std::string& address, int size = 56) {
    const Output output =
        lab_->run(host, {"ping", "-c1", "-W2", "-Mdo", "-s" + std::to_string(size), address});
    return output.exit_code == 0;
  }

  std::unique_ptr<Lab> lab_;
};

TEST_F(LabTest, EveryHostReachesEveryOtherInBothFamilies) {
  for (const Host& host : lab_->topology().hosts) {
    for (const LinkAddress& address : host.addresses) {
      EXPECT_TRUE(can_ping("client", to_string(address.address))) << host.name;
      EXPECT_TRUE(can_ping("n1", to_string(address.address))) << host.name;
    }
  }
}

TEST_F(LabTest, TheFabricCarriesMoreThanTheClientsLink) {
  EXPECT_TRUE(can_ping("n1", "192.0.2.11", 1600 - 28));
  EXPECT_FALSE(can_ping("n1", "192.0.2.11", 1601 - 28));
  EXPECT_TRUE(can_ping("client", "192.0.2.11", 1500 - 28));
  EXPECT_FALSE(can_ping("client", "192.0.2.11", 1501 - 28));
}

TEST_F(LabTest, TheRouterSpreadsPortsOfOneClientOverTheL4Hosts) {
  for (const auto& [vip, client] :
       {std::pair{"198.51.100.10", "203.0.113.3"}, std::pair{"2001:db8:100::10", "2001:db8:113::3"}}) {
    std::set<std::string> links;
    for (int port = 40000; port < 40040; ++port) {
      const Output output =
          lab_->run("router", {"ip", "-o", "route", "get", vip, "from", client, "iif", "client", "ipproto",
                               "6", "sport", std::to_string(port), "dport", "443"});
      for (const char* name : {"l4a", "l4b"}) {
        if (output.text.find(std::string("dev ") + name) != std::string::npos) links.insert(name);
      }
    }
    EXPECT_EQ(links.size(), 2u) << vip;
  }
}

TEST_F(LabTest, RoutesOfTheVipsCanLeaveOutAnL4Host) {
  ASSERT_TRUE(lab_->route_vips({"l4b"}));
  for (const char* family : {"-4", "-6"}) {
    const Output routes = lab_->run("router", {"ip", family, "route", "show", "to", "root", "0/0"});
    EXPECT_EQ(routes.text.find("nexthop"), std::string::npos) << routes.text;
  }
  ASSERT_TRUE(lab_->route_vips({"l4a", "l4b"}));
  const Output routes = lab_->run("router", {"ip", "-6", "route", "show"});
  EXPECT_NE(routes.text.find("nexthop via 2001:db8:2::11"), std::string::npos) << routes.text;
}

TEST_F(LabTest, ACutHostIsSilentUntilItIsMended) {
  ASSERT_TRUE(can_ping("client", "192.0.2.11"));
  ASSERT_TRUE(lab_->cut("l4a"));
  EXPECT_FALSE(can_ping("client", "192.0.2.11"));
  EXPECT_TRUE(can_ping("client", "192.0.2.13"));
  ASSERT_TRUE(lab_->mend("l4a"));
  EXPECT_TRUE(can_ping("client", "192.0.2.11"));
  EXPECT_TRUE(can_ping("client", "2001:db8:2::11"));
}

TEST_F(LabTest, ProcessesAreKilledAndRestartedByName) {
  ASSERT_TRUE(lab_->start("n1", "sleeper", {"sleep", "1000"}));
  const auto first = lab_->find("sleeper");
  ASSERT_TRUE(first);
  EXPECT_FALSE(lab_->start("n1", "sleeper", {"sleep", "1000"}));
  ASSERT_TRUE(lab_->kill("sleeper"));
  EXPECT_FALSE(lab_->find("sleeper"));
  ASSERT_TRUE(lab_->restart("sleeper"));
  ASSERT_TRUE(lab_->find("sleeper"));
  EXPECT_NE(lab_->find("sleeper")->pid, first->pid);
  lab_->kill_all("n1");
  EXPECT_FALSE(lab_->find("sleeper"));
}

TEST_F(LabTest, TwoLabsDoNotCollide) {
  auto other = Lab::up(site());
  ASSERT_TRUE(other) << other.error().message;
  EXPECT_TRUE(can_ping("client", "192.0.2.21"));
  (*other)->down();
  EXPECT_TRUE(can_ping("client", "192.0.2.21"));
}

TEST_F(LabTest, DownLeavesNothing) {
  ASSERT_TRUE(lab_->start("n2", "parent", {"sh", "-c", "sleep 1000 & sleep 1000"}));
  const std::string folder = lab_->folder(), pins = lab_->bpf_folder("n1"), net = lab_->net("n2");
  const auto parent = lab_->find("parent");
  ASSERT_TRUE(parent);
  lab_->down();
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_FALSE(fs::exists(pins));
  EXPECT_FALSE(fs::exists(net));
  EXPECT_FALSE(parent->is_alive());
}

TEST_F(LabTest, CertificatesVerifyAgainstTheSitesAuthority) {
  const std::string tls = lab_->host_folder("n1") + "/tls/";
  for (const char* file : {"control.crt", "shop.example.crt", "blog.example.crt"}) {
    const Output output =
        run({}, {"openssl", "verify", "-x509_strict", "-CAfile", lab_->ca_file(), tls + file});
    EXPECT_EQ(output.exit_code, 0) << output.text << output.errors;
  }
  const Output subject = run({}, {"openssl", "x509", "-noout", "-subject", "-in", tls + "control.crt"});
  EXPECT_NE(subject.text.find("CN = n1"), std::string::npos) << subject.text;
}

TEST_F(LabTest, ALabWhoseOwnerDiedIsSweptByTheNext) {
  const std::string name = lab_->name() + "x";
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto orphan = Lab::up(site(), name);
    ::_exit(orphan ? 0 : 1);  // no destructor: as if it had been killed
  }
  int status = 1;
  ASSERT_EQ(::waitpid(owner, &status, 0), owner);
  ASSERT_EQ(status, 0);
  const auto labs = list_labs();
  ASSERT_TRUE(std::count(labs.begin(), labs.end(), name));
  auto next = Lab::up(site());
  ASSERT_TRUE(next);
  EXPECT_FALSE(fs::exists("/run/netns/" + name + "-n1"));
  EXPECT_TRUE(fs::exists(lab_->folder()));
}

TEST(Topology, ErrorsNameTheHost) {
  const fs::path file = fs::temp_directory_path() / ("gatehouse-topology-" + std::to_string(::getpid()));
  FILE* stream = std::fopen(file.c_str(), "w");
  std::fputs("[[host]]\nname = \"r\"\nrole = \"rooter\"\n", stream);
  std::fclose(stream);
  const auto topology = load_topology(file);
  fs::remove(file);
  ASSERT_FALSE(topology);
  EXPECT_NE(topology.error().message.find("host r: unknown role \"rooter\""), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::lab
