// The number of workers of a node changes under load, and nobody who uses the site notices; what happened is
// told afterwards.
#include <gtest/gtest.h>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ScaleTest : public SiteTest {
 protected:
  std::string config() override {
    return replaced(quickstart_config(), "[workers]\ncount = 2\n",
                    "[workers]\ncount = 2\ndrain_timeout = \"8s\"\n");
  }
  std::string scale(const std::string& host, const std::string& node, const std::string& count) const {
    const lab::Output output = site_->cli(host, {"scale", node, count});
    return output.text + output.errors;
  }
  // All of them, and nobody else.
  bool serves_with(const std::string& node, std::size_t count) const {
    return lab::wait_until(
        [&] {
          std::size_t serving = 0;
          for (const Json& worker : site_->workers(node))
            serving += worker.value("state", "") == "serving" ? 1 : 0;
          return serving == count && site_->workers(node).size() == count;
        },
        seconds(30), milliseconds(50));
  }
};

TEST_F(ScaleTest, UpAndDownUnderLoadFailsNothing) {
  Load load(*site_, {.connections = 300, .rate = 300, .new_rate = 40});
  EXPECT_EQ(scale("l4a", "n1", "4"), "n1: 4 workers, set at run time; 2 serve now; the config says 2\n");
  EXPECT_TRUE(serves_with("n1", 4));
  EXPECT_EQ(scale("n1", "n1", "1").substr(0, 31), "n1: 1 workers, set at run time;");
  EXPECT_EQ(scale("l4b", "n2", "1").substr(0, 31), "n2: 1 workers, set at run time;");
  EXPECT_TRUE(serves_with("n1", 1));
  EXPECT_TRUE(serves_with("n2", 1));
  EXPECT_NE(site_->cli("n1", {"status"}).text.find("workers: 1 (set at run time), configured 2"),
            std::string::npos);
  // It holds over an upgrade, and ends with the config's.
  ASSERT_EQ(site_->cli("n1", {"upgrade"}).exit_code, 0);
  EXPECT_TRUE(serves_with("n1", 1));
  EXPECT_EQ(scale("l4a", "n1", "config").substr(0, 30), "n1: 2 workers, as configured; ");
  EXPECT_EQ(scale("l4a", "n2", "3").substr(0, 12), "n2: 3 worker");
  EXPECT_TRUE(serves_with("n1", 2));
  EXPECT_TRUE(serves_with("n2", 3));
  const Json report = load.stop();
  std::printf("%d requests: %d failed, %d connections broken\n", report.value("ok", 0),
              report.value("failed", -1), report.value("connections_broken", -1));
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
  EXPECT_NE(scale("l4a", "n9", "2").find("there is no node \"n9\""), std::string::npos);
  EXPECT_NE(scale("n1", "n2", "2").find("this is node \"n1\": ask an L4 host for another"),
            std::string::npos);
  EXPECT_NE(scale("l4a", "n1", "0").find("expected a number of workers from 1 to 64"), std::string::npos);
}

TEST_F(ScaleTest, WhatHappenedIsToldByEveryDaemonAlsoAfterItsRestart) {
  scale("n1", "n1", "3");
  EXPECT_TRUE(serves_with("n1", 3));
  ASSERT_EQ(site_->cli("l4a", {"drain", "n2"}).exit_code, 0);
  const auto told = [this](const std::string& host, const lab::Arguments& words, const std::string& text) {
    lab::Arguments all = {"events"};
    all.insert(all.end(), words.begin(), words.end());
    return lab::wait_until([&] { return site_->cli(host, all).text.find(text) != std::string::npos; },
                           seconds(20), milliseconds(50));
  };
  ASSERT_TRUE(site_->lab().kill("b1-9001"));
  EXPECT_TRUE(told("n1", {"--kind", "backend"}, "203.0.113.129:9001 of pool shop is unhealthy: "));
  EXPECT_TRUE(told("l4a", {"--kind", "node"}, "n2 is draining: it says that it drains\n"));
  for (const char* host : {"n1", "l4a"}) {
    ASSERT_TRUE(site_->lab().kill(host));
    ASSERT_TRUE(site_->lab().restart(host));
    ASSERT_TRUE(
        lab::wait_until([&] { return site_->status(host).is_object(); }, seconds(20), milliseconds(50)));
  }
  EXPECT_TRUE(told("n1", {"--kind", "scale", "--since", "10m"},
                   "3 workers are to run, until now 2: set at run time\n"));
  EXPECT_TRUE(told("n1", {}, "backend       203.0.113.129:9001 of pool shop is unhealthy: "));
  EXPECT_TRUE(told("l4a", {}, "node          n2 is draining: "));
  EXPECT_TRUE(told("l4a", {"--json", "--kind", "daemon"}, "\"what\":\"serves\",\"why\":\"version "));
  EXPECT_TRUE(told("n2", {}, "drain         n2 begins: an operator said so\n"));
  EXPECT_NE(
      site_->cli("n1", {"events", "--kind", "weather"}).errors.find("there is no kind of events \"weather\""),
      std::string::npos);
}

// By any L4 host on all nodes; who could not be told is named, and is no reason not to tell the others.
TEST_F(ScaleTest, AnL4HostSetsBackendsOnAllNodes) {
  const lab::Arguments drain = {"backend", "shop", "203.0.113.129:9001", "drain"};
  const std::string done = "backend 203.0.113.129:9001 of pool shop is draining, weight 1\n";
  const lab::Output all = site_->cli("l4b", drain);
  EXPECT_EQ(all.exit_code, 0) << all.errors;
  EXPECT_EQ(all.text, "n1, n2, n3: " + done);
  EXPECT_NE(site_->cli("n3", {"events", "--kind", "backend"}).text.find("was told to drain: an operator said so"), std::string::npos);
  const lab::Output unknown = site_->cli("l4a", {"backend", "shop", "203.0.113.129:1", "drain"});
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_EQ(unknown.text, "");
  EXPECT_NE(unknown.errors.find("n2: "), std::string::npos) << unknown.errors;
  ASSERT_TRUE(site_->lab().kill("n2"));
  const auto is_missed = [&] {
    const lab::Output output = site_->cli("l4a", drain);
    return output.exit_code == 1 && output.text == "n1, n3: " + done &&
           output.errors.find("n2: it has no link to this host: it was not told") != std::string::npos;
  };
  EXPECT_TRUE(lab::wait_until(is_missed, seconds(20), milliseconds(50)));
}

class AutoScaleTest : public SiteTest {
 protected:
  std::string config() override {
    return replaced(quickstart_config(), "[workers]\ncount = 2\n",
                    "[workers]\ncount = \"auto\"\nmin = 1\nmax = 3\ndrain_timeout = \"5s\"\n");
  }
};

// Without a load to speak of nobody is needed but the least; how soon the load decides is tested without a
// lab.
TEST_F(AutoScaleTest, ANodeWithLittleToDoEndsWorkersThatNobodyNeedsAndFailsNothing) {
  Load load(*site_, {.connections = 50, .rate = 50});
  const auto wanted = [this] { return site_->status("n1")["workers"].value("wanted", 0); };
  const int before = wanted();
  EXPECT_EQ(site_->status("n1")["workers"].value("configured", ""), "auto, 1 to 3");
  EXPECT_TRUE(before == 1 ||
              lab::wait_until([&] { return wanted() < before; }, seconds(60), milliseconds(200)));
  const Json report = load.stop();
  EXPECT_EQ(report.value("failed", -1), 0) << report["failures"].dump();
  EXPECT_EQ(report.value("connections_broken", -1), 0) << report.dump();
}

}  // namespace
}  // namespace gatehouse::test
