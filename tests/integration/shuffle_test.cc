// Nodes come and go in an order that nobody has thought of, while two L4 hosts forward: after each step both
// have the same rings, and nobody loses a connection but those whose node was killed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kNodes[] = {"n1", "n2", "n3"};
// After a kill, a connection of the dead node may learn of it when it speaks, and give up after its time. No
// other node is killed meanwhile: what breaks there has no excuse.
constexpr std::uint64_t kMourning = 12'000;

std::uint64_t number_in(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class ShuffleTest : public SiteTest {
 protected:
  struct State {
    bool is_dead = false, is_drained = false;
  };
  std::string wanted_state(const std::string& node) const {
    const State& state = states_.at(node);
    return state.is_dead ? "down" : state.is_drained ? "draining" : "active";
  }
  // Empty: both hosts know it all, and have the same rings.
  std::string disagreement() const {
    const Json a = site_->status("l4a"), b = site_->status("l4b");
    for (const Json* host : {&a, &b}) {
      if (!host->is_object()) return "a host does not answer";
      for (const Json& node : (*host)["nodes"]) {
        const std::string name = node.value("name", ""), state = node.value("state", "");
        if (state != wanted_state(name)) return name + " is " + state + ", not " + wanted_state(name);
      }
    }
    if (a["ring"]["digest"] != b["ring"]["digest"])
      return "digests " + a["ring"].dump() + " and " + b["ring"].dump();
    return "";
  }
  // One of the steps that leave a node for new connections.
  std::string step(std::mt19937_64& random, const Load& load) {
    std::vector<std::pair<std::string, std::string>> choices;
    int active = 0;
    for (const auto& [node, state] : states_) active += !state.is_dead && !state.is_drained ? 1 : 0;
    const bool may_kill = killed_ms_ + kMourning < load.now_ms();
    for (const auto& [node, state] : states_) {
      const bool can_spare = active > 1 || state.is_dead || state.is_drained;
      if (state.is_dead) choices.emplace_back("revive", node);
      if (!state.is_dead && can_spare && may_kill) choices.emplace_back("kill", node);
      if (!state.is_dead && state.is_drained) choices.emplace_back("undrain", node);
      if (!state.is_dead && !state.is_drained && can_spare) choices.emplace_back("drain", node);
    }
    const auto [what, node] = choices[random() % choices.size()];
    State& state = states_[node];
    if (what == "kill") {
      killed_ms_ = load.now_ms();
      kills_.emplace_back(node, killed_ms_);
      site_->lab().kill_all(node);
      state.is_dead = true;
    } else if (what == "revive") {
      EXPECT_TRUE(site_->lab().restart(node));
      state.is_dead = false;
    } else {
      state.is_drained = what == "drain";
      EXPECT_TRUE(lab::wait_until(
          [&, &what = what, &node = node] {
            return site_->cli(node, {what, node}).exit_code == 0;
          },
          seconds(20), milliseconds(50)));
    }
    return what + " " + node;
  }
  // Its node was killed before; of one that no node has answered, any was.
  bool is_due_to_a_kill(const Json& failure) const {
    const std::string via = failure.value("via", "");
    const auto at = failure.value("at_ms", std::uint64_t{0});
    for (const auto& [node, killed] : kills_) {
      if ((via.empty() || via == node) && at + 100 >= killed && at <= killed + kMourning) return true;
    }
    return false;
  }
  std::map<std::string, State> states_ = {{"n1", {}}, {"n2", {}}, {"n3", {}}};
  std::vector<std::pair<std::string, std::uint64_t>> kills_;  // node, when
  std::uint64_t killed_ms_ = 0;                               // the last one
};

TEST_F(ShuffleTest, BothHostsHaveTheSameRingsAfterEveryStepAndNoConnectionIsBrokenWrongly) {
  const std::uint64_t seed = number_in("GATEHOUSE_SHUFFLE_SEED", std::random_device()());
  const seconds time(number_in("GATEHOUSE_SHUFFLE_SECONDS", 30));
  std::printf("GATEHOUSE_SHUFFLE_SEED=%llu GATEHOUSE_SHUFFLE_SECONDS=%lld\n",
              static_cast<unsigned long long>(seed), static_cast<long long>(time.count()));
  std::mt19937_64 random(seed);
  Load load(*site_, {.connections = 150, .rate = 150, .new_rate = 10});
  const auto end = std::chrono::steady_clock::now() + time;
  int steps = 0;
  std::string so_far;
  while (std::chrono::steady_clock::now() < end) {
    so_far += (steps++ ? ", " : "") + step(random, load);
    std::string wrong;
    const bool agree =
        lab::wait_until([&] { return (wrong = disagreement()).empty(); }, seconds(20), milliseconds(50));
    ASSERT_TRUE(agree) << so_far << ": " << wrong;
  }
  const Json report = load.stop();
  const int wrongly =
      count_failures(report, [this](const Json& failure) { return !is_due_to_a_kill(failure); });
  std::printf("%d steps: %s\n%d requests: %d failed, %d of them with no kill to blame\n", steps,
              so_far.c_str(), report.value("ok", 0), report.value("failed", -1), wrongly);
  EXPECT_EQ(wrongly, 0) << report["failures"].dump();
  EXPECT_EQ(report["failures"].size(), report.value("failed", std::size_t{0}))
      << "those that are not listed are not judged";
  EXPECT_GT(steps, 3);
}

}  // namespace
}  // namespace gatehouse::test
