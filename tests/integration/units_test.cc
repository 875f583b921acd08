// The systemd units: what systemd itself says of them, and that the daemons run with the privileges that they
// grant.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/bgp_site.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

std::string unit_text(const std::string& name) {
  std::ifstream stream(GATEHOUSE_SOURCE_DIR "/deploy/systemd/" + name);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

bool has_systemd_analyze() { return lab::run({}, {"systemd-analyze", "--version"}).exit_code == 0; }

struct UnitCase {
  const char* name;
  double exposure;  // of 10, at most
};

class Unit : public testing::TestWithParam<UnitCase> {
 protected:
  void SetUp() override {
    if (!has_systemd_analyze()) GTEST_SKIP() << "systemd-analyze is not installed";
    // Where a package would put the programs; here they are in the build's folder.
    std::string text = unit_text(GetParam().name);
    for (const char* folder : {"=/usr/sbin/", "=/usr/bin/"}) {
      for (std::size_t at; (at = text.find(folder)) != text.npos;)
        text.replace(at, strlen(folder), "=" GATEHOUSE_BINARY_DIR "/");
    }
    // A build without DPDK has no such program; of the unit there is no less to say.
    const std::string dpdk = binary("gatehouse-l4-dpdk");
    if (const std::size_t at = text.find(dpdk); at != text.npos && !std::filesystem::exists(dpdk))
      text.replace(at, dpdk.size(), binary("gatehouse-l4"));
    std::filesystem::create_directories(folder_);
    std::ofstream(file_) << text;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = testing::TempDir() + "/units-" + std::to_string(getpid());
  const std::string file_ = folder_ + "/" + GetParam().name;
};

// Its exit code is 0 even for keys that it does not know.
TEST_P(Unit, SystemdFindsNothingWrongWithIt) {
  const lab::Output output = lab::run({}, {"systemd-analyze", "verify", "--man=no", file_});
  EXPECT_EQ(output.errors, "");
  EXPECT_EQ(output.exit_code, 0);
}

TEST_P(Unit, SystemdCallsItsExposureLow) {
  const lab::Output output =
      lab::run({}, {"systemd-analyze", "security", "--offline=true", "--no-pager", file_});
  const std::string mark = "Overall exposure level for " + std::string(GetParam().name) + ": ";
  const std::size_t at = output.text.find(mark);
  ASSERT_NE(at, std::string::npos) << output.text << output.errors;
  const double exposure = std::stod(output.text.substr(at + mark.size()));
  RecordProperty("exposure", std::to_string(exposure));
  std::printf("%s%.1f of 10\n", mark.c_str(), exposure);
  EXPECT_LE(exposure, GetParam().exposure) << output.text;
}

INSTANTIATE_TEST_SUITE_P(All, Unit,
                         testing::Values(UnitCase{"gatehouse-l4.service", 2.5},
                                         UnitCase{"gatehouse-l7.service", 3.0},
                                         UnitCase{"gatehouse-l4-dpdk.service", 5.5}),
                         [](const auto& info) {
                           const std::string name(info.param.name, 10, 7);
                           return name.substr(0, 2) + (name[2] == '-' ? "ByDpdk" : "");
                         });

class UnitPrivileges : public SiteTest {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "sanitizers ask for more than the units grant";
#endif
    if (!has_systemd_analyze()) GTEST_SKIP() << "systemd-analyze is not installed";
    if (lab::run({}, {"mountpoint", "-q", "/"}).exit_code != 0)
      GTEST_SKIP() << "the root folder is no mount: it cannot be made read-only for a process";
    SiteTest::SetUp();
  }
  // Starts a daemon under its unit's restrictions; only its own host's folder is for it to write.
  void restart(const std::string& host, const std::string& unit, const lab::Arguments& argv) {
    site_->lab().kill_all(host);
    const std::string folder = site_->lab().host_folder(host);
    lab::Arguments all = {binary("gatehouse-confine"), GATEHOUSE_SOURCE_DIR "/deploy/systemd/" + unit,
                          "--writable", folder, "--"};
    all.insert(all.end(), argv.begin(), argv.end());
    for (const std::string& word :
         {std::string("--config"), site_->config_file(host), std::string("--state-dir"), folder + "/state",
          std::string("--bpf-dir"), site_->lab().bpf_folder(host)}) {
      all.push_back(word);
    }
    ASSERT_TRUE(site_->lab().start(host, host, all).has_value());
  }
};

TEST_F(UnitPrivileges, AreEnoughToStartAndToServe) {
  for (const char* host : {"l4a", "l4b"})
    restart(host, "gatehouse-l4.service", {binary("gatehouse-l4"), "--host", host});
  for (const char* node : {"n1", "n2", "n3"})
    restart(node, "gatehouse-l7.service", {binary("gatehouse-l7"), "--node", node});
  ASSERT_TRUE(site_->wait_until_ready(std::chrono::seconds(60))) << site_->why_not_ready();
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
  EXPECT_EQ(site_->log("n1").find("running with the privileges there are"), std::string::npos)
      << site_->log("n1");
  EXPECT_EQ(site_->log("n1").find("running without a part of the sandbox"), std::string::npos)
      << site_->log("n1");
  // The rest of a daemon's life: reloads, workers that are replaced, commands, the end.
  EXPECT_EQ(site_->cli("l4a", {"reload"}).exit_code, 0);
  ASSERT_EQ(kill(site_->workers("n1").front().value("pid", 0), SIGKILL), 0);
  EXPECT_TRUE(lab::wait_until([&] { return site_->workers("n1").front().value("restarts", 0) == 1; },
                              std::chrono::seconds(30)));
  for (const char* command : {"drain", "undrain"}) EXPECT_EQ(site_->cli("l4a", {command, "n2"}).exit_code, 0);
  EXPECT_EQ(site_->cli("l4a", {"explain", "GET", "https://shop.example/"}).exit_code, 0);
  EXPECT_EQ(site_->cli("l4a", {"capture", site_->lab().folder() + "/x.pcapng", "--seconds", "1"}).exit_code,
            0);
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
  ASSERT_TRUE(site_->lab().signal("n3", SIGTERM).has_value());
  EXPECT_TRUE(lab::wait_until([&] { return !site_->lab().find("n3"); }, std::chrono::seconds(60)));
  EXPECT_EQ(site_->log("n3").find("did not end in time"), std::string::npos) << site_->log("n3");
  ASSERT_TRUE(site_->lab().restart("n3").has_value());
  // A start that finds nothing pinned needs no more than that.
  ASSERT_TRUE(site_->lab().kill("l4a").has_value());
  const lab::Output detached =
      site_->lab().run("l4a", {binary("gatehouse-l4"), "--config", site_->config_file("l4a"), "--host", "l4a",
                               "--bpf-dir", site_->lab().bpf_folder("l4a"), "--detach"});
  ASSERT_EQ(detached.exit_code, 0) << detached.errors;
  ASSERT_TRUE(site_->lab().restart("l4a").has_value());
  ASSERT_TRUE(site_->wait_until_ready(std::chrono::seconds(60))) << site_->why_not_ready();
  ASSERT_TRUE(site_->lab().route_vips({"l4a"}).has_value());
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
}

class UnitPrivilegesOfAnnouncing : public UnitPrivileges {
  std::string config() override { return bgp_config(); }
};

TEST_F(UnitPrivilegesOfAnnouncing, AreEnoughToAnnounce) {
  if (const std::string reason = why_not("bird"); !reason.empty()) GTEST_SKIP() << reason;
  for (const char* host : {"l4a", "l4b"})
    restart(host, "gatehouse-l4.service", {binary("gatehouse-l4"), "--host", host});
  ASSERT_TRUE(site_->wait_until_ready(std::chrono::seconds(60))) << site_->why_not_ready();
  BgpSite bgp(*site_);
  const Status up = bgp.up();
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
}

}  // namespace
}  // namespace gatehouse::test
