// Changes of a whole site's config by real daemons: all hosts or none, whoever refuses or dies between the
// two phases.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "common/json_fields.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

constexpr std::chrono::seconds kLong{30};
constexpr std::chrono::milliseconds kOften{50};
const std::vector<std::string> kHosts = {"l4a", "l4b", "n1", "n2", "n3"};

class ApplyTest : public SiteTest {
 protected:
  // Of two L4 hosts the one that begins first reaches the other at its second try: until then one is away.
  void SetUp() override {
    SiteTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const auto has_everybody = [&] {
      return member(parse_json(site_->cli("l4a", {"history", "--json"}).text), "hosts").size() == kHosts.size();
    };
    ASSERT_TRUE(lab::wait_until(has_everybody, kLong, kOften)) << site_->cli("l4a", {"history"}).text;
  }
  // The quickstart's config, with an answer of its own below /mark.
  static std::string marked(const std::string& mark, int status = 200) {
    return quickstart_config() +
           "\n[[route]]\nname = \"mark\"\nhosts = [\"shop.example\"]\npath_prefix = \"/mark\"\nresponse = { "
           "status = " +
           std::to_string(status) + ", body = \"" + mark + "\" }\n";
  }
  // A file beside the config of l4a, to be applied there.
  std::string file(const std::string& text) {
    const std::string path = site_->lab().folder() + "/next.toml";
    std::ofstream(path) << text;
    return path;
  }
  lab::Output apply(const std::string& text, lab::Arguments more = {}) {
    lab::Arguments words = {"apply", file(text)};
    words.insert(words.end(), more.begin(), more.end());
    return site_->cli("l4a", words);
  }
  Json standing(const std::string& host) {
    const Json status = site_->status(host);
    return status.is_object() ? status.value("config_version", Json::object()) : Json::object();
  }
  std::uint64_t number(const std::string& host) {
    return standing(host).value("committed", Json::object()).value("number", 0u);
  }
  bool is_prepared(const std::string& host) { return standing(host).contains("prepared"); }
  bool all_have(std::uint64_t wanted) {
    return lab::wait_until(
        [&] {
          return std::all_of(kHosts.begin(), kHosts.end(), [&](const auto& host) {
            const Json state = standing(host);
            return number(host) == wanted && !state.contains("prepared") &&
                   state.value("problem", "?").empty();
          });
        },
        kLong, kOften);
  }
  std::string digests() {
    std::string text;
    for (const std::string& host : kHosts)
      text += site_->status(host).value("config_digest", Json()).dump() + " ";
    return text;
  }
  bool have_one_digest() {
    const Json first = site_->status("l4a").value("config_digest", Json());
    return std::all_of(kHosts.begin(), kHosts.end(), [&](const auto& host) {
      return site_->status(host).value("config_digest", Json()) == first;
    });
  }
  std::string answer() { return site_->curl({"https://shop.example/mark"}).text; }
};

TEST_F(ApplyTest, AChangeReachesAllHostsAndOutlivesTheirDaemons) {
  const lab::Output trial = apply(marked("one"), {"--dry-run"});
  EXPECT_EQ(trial.exit_code, 0) << trial.errors;
  EXPECT_NE(trial.text.find("+response = { status = 200, body = \"one\" }"), std::string::npos) << trial.text;
  EXPECT_NE(trial.text.find("5 hosts agree; nothing has changed"), std::string::npos) << trial.text;
  const lab::Output done = apply(marked("one"), {"--comment", "a mark"});
  ASSERT_EQ(done.exit_code, 0) << done.text << done.errors;
  EXPECT_NE(done.text.find("version 2 ("), std::string::npos) << done.text;
  EXPECT_NE(done.text.find("is in use on 5 hosts"), std::string::npos) << done.text;
  EXPECT_TRUE(all_have(2));
  EXPECT_TRUE(have_one_digest()) << digests();
  EXPECT_EQ(answer(), "one");
  // The other L4 host knows as much.
  const lab::Output history = site_->cli("l4b", {"history"});
  EXPECT_NE(history.text.find("a mark"), std::string::npos) << history.text << history.errors;
  EXPECT_NE(history.text.find("uid 0"), std::string::npos) << history.text;
  // A node begins with what was agreed on, though its file says otherwise and no L4 host can be asked.
  ASSERT_TRUE(site_->lab().kill("l4a"));
  ASSERT_TRUE(site_->lab().kill("l4b"));
  ASSERT_TRUE(site_->lab().kill("n1"));
  ASSERT_TRUE(site_->start_node("n1"));
  EXPECT_TRUE(lab::wait_until([&] { return number("n1") == 2; }, kLong, kOften));
  ASSERT_TRUE(site_->start_l4("l4a"));
  ASSERT_TRUE(site_->start_l4("l4b"));
  EXPECT_TRUE(all_have(2));
  // And back, from the other L4 host.
  ASSERT_TRUE(lab::wait_until([&] { return site_->cli("l4b", {"rollback"}).exit_code == 0; }, kLong, kOften));
  EXPECT_TRUE(all_have(3));
  EXPECT_TRUE(have_one_digest()) << digests();
  EXPECT_NE(answer(), "one");
}

TEST_F(ApplyTest, OneNodeThatRefusesKeepsAllOnTheOldVersion) {
  for (const std::string& host : kHosts) {
    if (host != "n2")
      std::ofstream(site_->lab().host_folder(host) + "/tickets.secret") << "0123456789abcdef0123456789abcdef";
  }
  const std::string before = digests();
  const lab::Output refused = apply(marked("one") + "\n[tls]\nticket_secret_file = \"tickets.secret\"\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.errors.find("n2: "), std::string::npos) << refused.errors;
  EXPECT_NE(refused.errors.find("tickets.secret"), std::string::npos) << refused.errors;
  EXPECT_NE(refused.errors.find("nothing has changed, on no host"), std::string::npos) << refused.errors;
  EXPECT_TRUE(all_have(0));
  EXPECT_EQ(digests(), before);
}

TEST_F(ApplyTest, ANodeThatDiesBetweenThePhasesLeavesAllOnTheOldVersion) {
  ASSERT_EQ(apply(marked("one")).exit_code, 0);
  // It takes what it is asked for, and does not answer.
  ASSERT_TRUE(site_->lab().signal("n3", SIGSTOP));
  lab::Output output;
  std::thread operators([&] { output = apply(marked("two")); });
  EXPECT_TRUE(lab::wait_until([&] { return is_prepared("n1") && is_prepared("n2") && is_prepared("l4b"); },
                              kLong, std::chrono::milliseconds(5)));
  ASSERT_TRUE(site_->lab().kill("n3"));
  operators.join();
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_NE(output.errors.find("n3: no answer"), std::string::npos) << output.errors;
  EXPECT_EQ(answer(), "one");
  ASSERT_TRUE(site_->start_node("n3"));
  EXPECT_TRUE(all_have(2));
  EXPECT_TRUE(have_one_digest()) << digests();
}

TEST_F(ApplyTest, AnL4HostThatDiesBetweenThePhasesLeavesAllOnTheOldVersion) {
  ASSERT_TRUE(site_->lab().signal("n3", SIGSTOP));
  std::thread operators([&] { apply(marked("one")); });
  EXPECT_TRUE(lab::wait_until([&] { return is_prepared("n1") && is_prepared("n2") && is_prepared("l4b"); },
                              kLong, std::chrono::milliseconds(5)));
  ASSERT_TRUE(site_->lab().kill("l4a"));
  operators.join();
  ASSERT_TRUE(site_->lab().signal("n3", SIGCONT));
  EXPECT_TRUE(is_prepared("n1"));  // it may not presume
  ASSERT_TRUE(site_->start_l4("l4a"));
  EXPECT_TRUE(all_have(0));
  EXPECT_TRUE(have_one_digest()) << digests();
}

TEST_F(ApplyTest, AHostThatIsAwayIsWaitedForOrTakesItWhenItIsBack) {
  ASSERT_TRUE(site_->lab().kill("l4b"));
  ASSERT_TRUE(site_->lab().kill("n3"));
  EXPECT_TRUE(lab::wait_until(
      [&] {
        const lab::Output refused = apply(marked("one"));
        return refused.exit_code == 1 && refused.errors.find("away: l4b, n3.") != std::string::npos;
      },
      kLong, kOften));
  EXPECT_EQ(number("n1"), 0u);
  const lab::Output done = apply(marked("one"), {"--absent-ok"});
  ASSERT_EQ(done.exit_code, 0) << done.text << done.errors;
  ASSERT_TRUE(site_->start_l4("l4b"));
  ASSERT_TRUE(site_->start_node("n3"));
  EXPECT_TRUE(all_have(2));
  EXPECT_TRUE(have_one_digest()) << digests();
}

TEST_F(ApplyTest, ErrorsThatRiseTakeAWatchedVersionBackThoughTheOperatorIsGone) {
  ASSERT_EQ(apply(marked("one")).exit_code, 0);
  lab::Output output;
  std::thread operators([&] {
    output = apply(marked("broken", 503), {"--watch", "10m", "--min-answers", "20"});
  });
  ASSERT_TRUE(lab::wait_until([&] { return number("n1") == 3; }, kLong, kOften));
  EXPECT_TRUE(lab::wait_until(
      [&] {
        answer();
        return number("l4a") == 4;
      },
      std::chrono::seconds(60), std::chrono::milliseconds(10)));
  operators.join();
  EXPECT_EQ(output.exit_code, 1) << output.text << output.errors;
  EXPECT_NE(output.errors.find("errors rose from"), std::string::npos) << output.errors;
  EXPECT_TRUE(all_have(4));
  EXPECT_EQ(answer(), "one");
  EXPECT_NE(site_->cli("l4a", {"history"}).text.find("the watch over 3"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::test
