// Programs are replaced under load: nobody who uses the site notices.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "tests/integration/load.h"
#include "tests/integration/one_host.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kDeadline = 8;  // seconds, of connections that go on and on
const char* const kHosts[] = {"l4a", "l4b", "n1", "n2", "n3"};

class UpgradeTest : public SiteTest {
 protected:
  std::string config() override {
    return replaced(quickstart_config(), "[workers]\ncount = 2\n",
                    "[workers]\ncount = 2\ndrain_timeout = \"" + std::to_string(kDeadline) + "s\"\n");
  }
  // Empty: it went well.
  std::string upgrade(const std::string& host, const lab::Arguments& what = {}) const {
    lab::Arguments words = {"upgrade"};
    words.insert(words.end(), what.begin(), what.end());
    const lab::Output output = site_->cli(host, words);
    return output.exit_code == 0 ? "" : host + ": " + output.text + output.errors + site_->log(host);
  }
  std::string upgrade_all() const {
    std::vector<std::future<std::string>> all;
    for (const char* host : kHosts)
      all.push_back(std::async(std::launch::async, [this, host] { return upgrade(host); }));
    std::string wrong;
    for (auto& each : all) wrong += each.get();
    return wrong;
  }
  std::vector<int> pids(const std::string& node) const {
    std::vector<int> pids;
    for (const Json& worker : site_->workers(node)) {
      if (worker.value("state", "") == "serving") pids.push_back(worker.value("pid", 0));
    }
    return pids;
  }
};

TEST_F(UpgradeTest, TenInARowUnderLoadFailNothing) {
  Load load(*site_, {.connections = 300, .rate = 300, .new_rate = 20});
  const std::vector<int> before = pids("n1");
  const std::function<std::string()> upgrades[] = {[this] { return upgrade("n1", {"daemon"}); },
                                                   [this] { return upgrade("n1", {"workers"}); },
                                                   [this] { return upgrade("l4a"); },
                                                   [this] { return upgrade_all(); },
                                                   [this] { return upgrade("n2"); },
                                                   [this] { return upgrade("l4b"); },
                                                   [this] { return upgrade("n3", {"workers"}); },
                                                   [this] { return upgrade("n3"); },
                                                   [this] { return upgrade_all(); },
                                                   [this] { return upgrade_all(); }};
  for (const auto& each : upgrades) ASSERT_EQ(each(), "");
  // Every connection speaks at least once more, wherever it is.
  const auto asked = [&] { return site_->node("n1", "n1").value("requests", 0); };
  const int then = asked();
  EXPECT_TRUE(lab::wait_until([&] { return asked() > then + 300; }, seconds(20), milliseconds(100)));
  const Json report = load.stop();
  std::printf("%d requests: %d failed; %d connections opened, %d broken\n", report.value("ok", 0),
              report.value("failed", -1), report.value("connections_opened", -1),
              report.value("connections_broken", -1));
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  const std::vector<int> after = pids("n1");
  ASSERT_EQ(after.size(), 2u);
  for (const int pid : after) EXPECT_EQ(std::count(before.begin(), before.end(), pid), 0) << pid;
  EXPECT_TRUE(site_->wait_until_ready()) << site_->why_not_ready();
}

TEST_F(UpgradeTest, WhatGoesOnIsCutAtTheDeadlineAndNotBefore) {
  const std::string folder = site_->lab().host_folder("client");
  const auto download = [&](const std::string& name, const char* rate) {
    const std::string curl =
        "curl -sS --cacert " + site_->lab().ca_file() +
        " --resolve shop.example:443:198.51.100.10 --limit-rate " + rate +
        " -o /dev/null -w '%{size_download} %{time_total}' https://shop.example/bytes/9000000 > " + folder +
        "/" + name;
    ASSERT_TRUE(site_->lab().start("client", name, {"sh", "-c", curl}));
  };
  download("short", "3M");
  download("long", "100k");
  // Only a worker that has accepted them can be held by them.
  const auto connections = [this] {
    int sum = 0;
    for (const char* node : {"n1", "n2", "n3"}) sum += site_->node(node, node).value("connections", 0);
    return sum;
  };
  ASSERT_TRUE(lab::wait_until([&] { return connections() >= 2; }, seconds(10), milliseconds(50)));
  const auto began = std::chrono::steady_clock::now();
  ASSERT_EQ(upgrade_all(), "");
  ASSERT_TRUE(lab::wait_until([&] { return !site_->lab().find("short") && !site_->lab().find("long"); },
                              seconds(60), milliseconds(50)));
  const auto lasted = std::chrono::steady_clock::now() - began;
  const auto text_of_file = [&](const char* name) {
    return site_->lab().run("client", {"cat", folder + "/" + name}).text;
  };
  EXPECT_EQ(text_of_file("short").substr(0, 8), "9000000 ") << site_->log("short");
  EXPECT_NE(text_of_file("long").substr(0, 8), "9000000 ");
  EXPECT_GE(lasted, seconds(kDeadline) - milliseconds(500));
}

class UpgradedHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
    host.start_backend(9001);
    host.write("site.toml", "[workers]\ncount = 2\n[[listener]]\nname = \"web\"\naddresses = [\"" +
                                host.address() +
                                ":8080\"]\n[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" +
                                host.address() + ":9001\"]\n");
    // Workers of another user execute it, too.
    std::filesystem::copy_file(binary("gatehouse-l7"), program());
    host.start({"sh", "-c", "shift; exec " + program() + " \"$@\"", "sh"});
    ASSERT_TRUE(lab::wait_until([this] { return get() == "ok\n"; }, seconds(30), milliseconds(50)))
        << host.log();
  }
  void TearDown() override {
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  std::string program() const { return host.file("gatehouse-l7"); }
  std::string get() const {
    return lab::run({}, {"curl", "-sS", "--max-time", "20", "http://" + host.address() + ":8080/healthz"})
        .text;
  }
  std::uint64_t began() const { return host.status().value("began_ms", std::uint64_t{0}); }
  OneHost host;
};

TEST_F(UpgradedHost, GoesOnWithTheProgramThatLiesOnDisk) {
  const std::uint64_t before = began();
  std::filesystem::remove(program());  // as a package manager does
  std::filesystem::copy_file(binary("gatehouse-l7"), program());
  const lab::Output output = host.cli({"upgrade"});
  EXPECT_EQ(output.exit_code, 0) << output.errors;
  EXPECT_EQ(output.text, "gatehouse-l7 " GATEHOUSE_VERSION " is gatehouse-l7 " GATEHOUSE_VERSION
                         " now\n"
                         "workers replaced: 2; those of before finish what they have, within 30s\n");
  EXPECT_NE(began(), before);
  EXPECT_EQ(get(), "ok\n");
}

TEST_F(UpgradedHost, AProgramThatWouldNotStartChangesNothing) {
  const std::uint64_t before = began();
  std::filesystem::remove(program());
  EXPECT_NE(host.cli({"upgrade"}).errors.find("No such file or directory\nnothing has changed"),
            std::string::npos);
  host.write("gatehouse-l7", "#!/bin/sh\necho \"I do not know the word pool\" >&2\nexit 1\n", 0755);
  const lab::Output refused = host.cli({"upgrade"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.errors, "gatehouse: " + program() +
                                " would not start:\nI do not know the word pool\nnothing has changed\n");
  EXPECT_EQ(began(), before);
  EXPECT_EQ(host.cli({"upgrade", "wrokers"}).errors,
            "gatehouse: upgrade: expected daemon or workers, found \"wrokers\"; did you mean \"workers\"?\n");
  EXPECT_EQ(get(), "ok\n");
}

// The config on disk is what the next program would read.
TEST_F(UpgradedHost, AConfigThatItCouldNotReadIsRefusedBefore) {
  host.write("site.toml", "nonsense = 1\n");
  const lab::Output refused = host.cli({"upgrade", "daemon"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("unknown key \"nonsense\""), std::string::npos) << refused.errors;
  EXPECT_EQ(get(), "ok\n");
}

}  // namespace
}  // namespace gatehouse::test
