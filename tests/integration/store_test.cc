// A site that keeps its version in etcd: a real one, in the lab, that is killed and started again while
// clients ask.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

constexpr const char* kEtcd = "/usr/bin/etcd";
constexpr std::chrono::seconds kLong{60};
constexpr std::chrono::milliseconds kOften{50};
const std::string kUrl = "http://203.0.113.129:2379";

class StoreTest : public SiteTest {
 protected:
  void SetUp() override {
    if (access(kEtcd, X_OK) != 0) GTEST_SKIP() << kEtcd << " is not there";
    SiteTest::SetUp();
    if (site_) start_etcd();
  }
  std::string config() override { return quickstart_config() + "\n[store]\netcd = [\"" + kUrl + "\"]\n"; }

  void start_etcd() {
    const std::string peer = "http://127.0.0.1:2380";
    ASSERT_TRUE(site_->lab().start(
        "b1", "etcd",
        {kEtcd, "--name", "m", "--data-dir", site_->lab().folder() + "/etcd", "--listen-client-urls", kUrl,
         "--advertise-client-urls", kUrl, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
         "--initial-cluster", "m=" + peer, "--logger", "zap", "--log-level", "error"}));
  }
  std::string problem(const std::string& host) {
    const Json status = site_->status(host);
    return status.is_object() ? status.value("store", Json::object()).value("problem", "none") : "no daemon";
  }
  bool both_say(bool is_away) {
    return lab::wait_until(
        [&] { return problem("l4a").empty() != is_away && problem("l4b").empty() != is_away; }, kLong,
        kOften);
  }
  lab::Output apply(const std::string& mark, lab::Arguments more = {}) {
    const std::string path = site_->lab().folder() + "/next.toml";
    std::ofstream(path) << config() + "# " + mark + "\n";
    more.insert(more.begin(), {"apply", path});
    return site_->cli("l4a", more);
  }
};

TEST_F(StoreTest, ItsLossCostsNothingAndIsMadeGoodFor) {
  ASSERT_TRUE(both_say(false)) << problem("l4a") << problem("l4b");
  const lab::Output first = apply("one");
  EXPECT_EQ(first.exit_code, 0) << first.text << first.errors;
  ASSERT_TRUE(site_->lab().kill("etcd"));
  EXPECT_TRUE(both_say(true));
  EXPECT_NE(site_->cli("l4a", {"status"}).text.find("the store is away: "), std::string::npos);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(site_->curl({"https://shop.example/healthz"}).text, "ok\n");
  const lab::Output refused = apply("two");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("the store does not answer"), std::string::npos) << refused.errors;
  const lab::Output without = apply("three", {"--absent-ok"});
  EXPECT_EQ(without.exit_code, 0) << without.text << without.errors;
  start_etcd();
  EXPECT_TRUE(both_say(false));
  EXPECT_TRUE(lab::wait_until(
      [&] { return site_->log("l4a").find("the store is given version") != std::string::npos; }, kLong,
      kOften));
  // An L4 host without a disk of its own finds there what the others agreed on.
  const auto number = [&](const char* host) {
    return site_->status(host)["config_version"]["committed"]["number"];
  };
  const Json agreed = number("l4a");
  ASSERT_TRUE(site_->lab().kill("l4b"));
  ASSERT_TRUE(site_->lab().kill("l4a"));
  std::filesystem::remove_all(site_->lab().host_folder("l4b") + "/state/versions");
  ASSERT_TRUE(site_->start_l4("l4b"));
  EXPECT_TRUE(lab::wait_until([&] { return site_->status("l4b").is_object() && number("l4b") == agreed; },
                              kLong, kOften));
}

}  // namespace
}  // namespace gatehouse::test
