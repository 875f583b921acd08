// The systemd units: what systemd itself says of them, and that the daemons run with the privileges that they
// grant.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

std::string unit_text(const std::string& name) {
  std::ifstream stream(GATEHOUSE_SOURCE_DIR "/deploy/systemd/" + name);
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

// The value of "NAME=" in a unit; it must be there.
std::string value_of(const std::string& unit, const std::string& name) {
  const std::size_t at = unit.find("\n" + name + "=");
  GH_CHECK(at != unit.npos);
  const std::size_t begin = at + name.size() + 2;
  return unit.substr(begin, unit.find('\n', begin) - begin);
}

bool has_systemd_analyze() { return lab::run({}, {"systemd-analyze", "--version"}).exit_code == 0; }

class Unit : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!has_systemd_analyze()) GTEST_SKIP() << "systemd-analyze is not installed";
    // Where a package would put the programs; here they are in the build's folder.
    std::string text = unit_text(GetParam());
    for (const char* folder : {"=/usr/sbin/", "=/usr/bin/"}) {
      for (std::size_t at; (at = text.find(folder)) != text.npos;)
        text.replace(at, strlen(folder), "=" GATEHOUSE_BINARY_DIR "/");
    }
    std::filesystem::create_directories(folder_);
    std::ofstream(file_) << text;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = testing::TempDir() + "/units-" + std::to_string(getpid());
  const std::string file_ = folder_ + "/" + GetParam();
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
  const std::string mark = "Overall exposure level for " + std::string(GetParam()) + ": ";
  const std::size_t at = output.text.find(mark);
  ASSERT_NE(at, std::string::npos) << output.text << output.errors;
  const double exposure = std::stod(output.text.substr(at + mark.size()));
  RecordProperty("exposure", std::to_string(exposure));
  std::printf("%s%.1f of 10\n", mark.c_str(), exposure);
  EXPECT_LE(exposure, 3.0) << output.text;
}

INSTANTIATE_TEST_SUITE_P(All, Unit, testing::Values("gatehouse-l4.service", "gatehouse-l7.service"),
                         [](const auto& info) { return std::string(info.param, 10, 2); });

using UnitPrivileges = SiteTest;

// Root with no capability but those of the unit.
lab::Arguments confined(const std::string& unit) {
  std::string set = "-all";
  std::istringstream names(value_of(unit_text(unit), "CapabilityBoundingSet"));
  for (std::string name; names >> name;) {
    std::string lower = name.substr(4);
    for (char& letter : lower) letter = static_cast<char>(std::tolower(letter));
    set += ",+" + lower;
  }
  return {"setpriv", "--no-new-privs", "--inh-caps=-all", "--bounding-set=" + set};
}

TEST_F(UnitPrivileges, AreEnoughToStartAndToServe) {
  const auto restart = [this](const std::string& host, const std::string& unit, const lab::Arguments& argv) {
    ASSERT_TRUE(site_->lab().kill(host).has_value());
    site_->lab().kill_all(host);
    lab::Arguments all = confined(unit);
    all.insert(all.end(), argv.begin(), argv.end());
    ASSERT_TRUE(site_->lab().start(host, host, all).has_value());
  };
  const auto folder = [this](const std::string& host) { return site_->lab().host_folder(host) + "/state"; };
  for (const char* host : {"l4a", "l4b"}) {
    restart(host, "gatehouse-l4.service",
            {binary("gatehouse-l4"), "--config", site_->config_file(host), "--host", host, "--state-dir",
             folder(host), "--bpf-dir", site_->lab().bpf_folder(host)});
  }
  for (const char* node : {"n1", "n2", "n3"}) {
    restart(node, "gatehouse-l7.service",
            {binary("gatehouse-l7"), "--config", site_->config_file(node), "--node", node, "--state-dir",
             folder(node), "--bpf-dir", site_->lab().bpf_folder(node)});
  }
  ASSERT_TRUE(site_->wait_until_ready(std::chrono::seconds(60))) << site_->why_not_ready();
  EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
  EXPECT_EQ(site_->log("n1").find("running with the privileges there are"), std::string::npos)
      << site_->log("n1");
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

}  // namespace
}  // namespace gatehouse::test
