// The controller of weights against a fleet that is simulated: a hundred nodes of half to twice the speed,
// real slots, and connections that stay for a while, so that what a weight changes shows late.
#include "l4/load_feedback.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "l4/slot_owners.h"
#include "tests/l4/rings.h"

namespace gatehouse::l4 {
namespace {

using Loads = std::vector<LoadFeedback::Load>;

constexpr LoadFeedback::Settings kSettings{0.1, 4};
constexpr int kInterval = 4;  // seconds, the default

class Fleet {
 public:
  // `lifetime` of a connection in seconds; `noise`: deviation of a second's report.
  Fleet(std::uint16_t nodes, double lifetime, double noise, double mean_use = 0.55)
      : lifetime_(lifetime), noise_(noise), random_(1) {
    double all = 0;
    for (std::uint16_t id = 1; id <= nodes; ++id) {
      speeds_.push_back(0.5 + 1.5 * static_cast<double>(random_() % 1000) / 1000);
      members_.push_back({id, 100, 100'000});
      all += speeds_.back();
    }
    offered_ = mean_use * all;
    base_ = build_base(members_, kSlots);
    owners_.resize(kSlots);
    reports_.resize(nodes);
    assign();
    for (std::size_t i = 0; i < nodes; ++i) work_.push_back(offered_ * shares_[i]);
  }

  // One second. The work that is there ends; new work comes by the slots.
  void pass() {
    std::normal_distribution<> noise(0, noise_);
    for (std::size_t i = 0; i < work_.size(); ++i) {
      work_[i] += (offered_ * shares_[i] - work_[i]) / std::max(lifetime_, 1.0);
      reports_[i] += std::clamp(use(i) + noise(random_), 0.0, 1.0) / kInterval;
    }
    if (++seconds_ % kInterval == 0) decide();
  }
  void pass(int seconds) {
    while (seconds-- > 0) pass();
  }

  double use(std::size_t node) const { return std::min(1.0, work_[node] / speeds_[node]); }
  double spread() const {
    double least = 1, most = 0;
    for (std::size_t i = 0; i < work_.size(); ++i) {
      least = std::min(least, use(i));
      most = std::max(most, use(i));
    }
    return most - least;
  }
  void change_speed(std::size_t node, double speed) { speeds_[node] = speed; }

  std::size_t most_moved = 0;  // slots, in one step
  int changes = 0;
  std::vector<std::vector<std::uint16_t>> history;  // owners, at first and after each change

 private:
  void assign() {
    const std::vector<std::uint16_t> before = owners_;
    assign_owners(base_, members_, owners_);
    std::size_t moved = 0;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) moved += before[slot] != owners_[slot];
    if (!history.empty()) most_moved = std::max(most_moved, moved);
    history.push_back(owners_);
    shares_.assign(members_.size(), 0);
    for (const std::uint16_t id : owners_) shares_[id - 1u] += 1.0 / kSlots;
  }
  void decide() {
    Loads loads;
    for (std::size_t i = 0; i < reports_.size(); ++i)
      loads.push_back({members_[i].id, std::exchange(reports_[i], 0)});
    const auto factors = feedback_.step(factors_, loads, loads.size(), kSettings);
    if (std::exchange(factors_, factors) == factors) return;
    ++changes;
    for (const auto& [id, factor] : factors) members_[id - 1u].claim = 100ull * factor;
    assign();
  }

  double lifetime_, noise_;
  std::mt19937 random_;
  double offered_ = 0;
  int seconds_ = 0;
  std::vector<double> speeds_, work_, shares_, reports_;
  std::vector<RingMember> members_;
  BaseRing base_;
  std::vector<std::uint16_t> owners_;
  LoadFeedback feedback_;
  LoadFeedback::Factors factors_;
};

TEST(LoadFeedback, AHundredNodesOfUnequalSpeedAreEvenlyBusyAfterAMinute) {
  for (const double lifetime : {1.0, 3.0, 10.0}) {
    for (const double noise : {0.0, 0.01}) {
      Fleet fleet(100, lifetime, noise);
      const double before = fleet.spread();
      fleet.pass(60);
      std::printf(
          "connections of %2.0f s, noise %.0f %%: spread %.1f %% -> %.1f %% after 60 s; at most %zu of %u "
          "slots moved in a step\n",
          lifetime, 100 * noise, 100 * before, 100 * fleet.spread(), fleet.most_moved, kSlots);
      EXPECT_GT(before, 0.5);
      EXPECT_LE(fleet.spread(), 0.05) << "connections of " << lifetime << " s";
      EXPECT_LE(fleet.most_moved, kSlots / 10) << "a step is a tenth of every weight, at most";
    }
  }
}

TEST(LoadFeedback, ComesToRestAndStaysThere) {
  for (const double lifetime : {1.0, 10.0, 30.0}) {
    Fleet fleet(100, lifetime, 0.01);
    fleet.pass(400);
    const int changes = fleet.changes;
    double worst = 0;
    for (int second = 0; second < 600; ++second) {
      fleet.pass();
      worst = std::max(worst, fleet.spread());
    }
    EXPECT_LE(worst, 0.06) << "connections of " << lifetime << " s";
    EXPECT_LE(fleet.changes - changes, 8) << "of 150 steps; connections of " << lifetime << " s";
  }
}

// Connections that stay for minutes make the answer late: what is there must shrink, not swing.
TEST(LoadFeedback, DoesNotSwingWhereConnectionsStayForLong) {
  for (const double lifetime : {30.0, 100.0, 300.0}) {
    Fleet fleet(100, lifetime, 0.01);
    double before = fleet.spread();
    for (int span = 0; span < 4; ++span) {
      fleet.pass(static_cast<int>(3 * lifetime));
      EXPECT_LE(fleet.spread(), std::max(before, 0.05))
          << "connections of " << lifetime << " s, span " << span;
      before = fleet.spread();
    }
    EXPECT_LE(before, 0.06) << "connections of " << lifetime << " s";
  }
}

// Weights in motion spend the hop lists: of the owners that a slot had while they moved nearly all are still
// named.
TEST(LoadFeedback, LeavesSlotsWithTheirOwnersInTheHopList) {
  Fleet fleet(100, 3, 0.01);
  fleet.pass(120);
  std::uint64_t lost = 0, all = 0;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    std::vector<std::uint16_t> owners;  // distinct, newest first
    for (auto then = fleet.history.rbegin(); then != fleet.history.rend(); ++then) {
      if (std::find(owners.begin(), owners.end(), (*then)[slot]) == owners.end())
        owners.push_back((*then)[slot]);
    }
    all += owners.size();
    lost += owners.size() > GH_HOPS ? owners.size() - GH_HOPS : 0;
  }
  std::printf("%zu changes: %llu of %llu owners have left a hop list (%.3f %%)\n", fleet.history.size() - 1,
              static_cast<unsigned long long>(lost), static_cast<unsigned long long>(all),
              100.0 * static_cast<double>(lost) / static_cast<double>(all));
  EXPECT_LT(lost, all / 200);
}

// ---- One step ----

Loads equal_loads(std::uint16_t count, double utilization) {
  Loads loads;
  for (std::uint16_t id = 1; id <= count; ++id) loads.push_back({id, utilization});
  return loads;
}

TEST(LoadFeedback, StepsAreBoundedAndSoAreFactors) {
  LoadFeedback feedback;
  LoadFeedback::Factors factors, before;
  Loads loads = equal_loads(10, 0.5);
  loads[0].utilization = 0;
  loads[1].utilization = 1;
  for (int step = 0; step < 60; ++step) {
    factors = feedback.step(before, loads, loads.size(), kSettings);
    for (const std::uint16_t id : {1, 2}) {
      const double earlier = before.contains(id) ? before[id] : 1000,
                   now = factors.contains(id) ? factors[id] : 1000;
      EXPECT_NEAR(now / earlier, 1, 0.101) << "step " << step;
    }
    before = factors;
  }
  EXPECT_EQ(factors[1], 4000u);
  EXPECT_EQ(factors[2], 250u);
}

TEST(LoadFeedback, LeavesWhatIsEvenEnoughAlone) {
  LoadFeedback feedback;
  std::mt19937 random(3);
  for (int step = 0; step < 100; ++step) {
    Loads loads = equal_loads(50, 0.5);
    for (auto& load : loads) load.utilization += (static_cast<double>(random() % 401) - 200) / 10'000;
    EXPECT_TRUE(feedback.step({}, loads, loads.size(), kSettings).empty()) << "step " << step;
  }
}

TEST(LoadFeedback, LeavesIdleNodesAlone) {
  LoadFeedback feedback;
  Loads loads = equal_loads(10, 0.01);
  loads[3].utilization = 0.2;
  for (int step = 0; step < 10; ++step)
    EXPECT_TRUE(feedback.step({}, loads, loads.size(), kSettings).empty());
}

TEST(LoadFeedback, DoesNothingForNodesThatSayNothing) {
  LoadFeedback feedback;
  Loads loads = equal_loads(10, 0.5);
  loads[0].utilization = 0.9;
  const auto factors = feedback.step({{11, 700}}, loads, 11, kSettings);
  EXPECT_LT(factors.at(1), 1000u);
  EXPECT_EQ(factors.at(11), 700u) << "what it has it keeps";
}

TEST(LoadFeedback, DoesNothingWhenHalfOfTheFleetIsSilent) {
  LoadFeedback feedback;
  Loads loads = equal_loads(10, 0.5);
  loads[0].utilization = 0.9;
  EXPECT_TRUE(feedback.step({}, loads, 20, kSettings).empty());
  EXPECT_FALSE(feedback.step({}, loads, 19, kSettings).empty());
  EXPECT_TRUE(feedback.step({}, {}, 20, kSettings).empty());
}

TEST(LoadFeedback, ANodeThatComesLaterIsGivenTimeToFillUp) {
  LoadFeedback feedback;
  for (int step = 0; step < 5; ++step) feedback.step({}, equal_loads(10, 0.5), 10, kSettings);
  Loads loads = equal_loads(10, 0.5);
  loads.push_back({11, 0.0});
  LoadFeedback::Factors factors;
  for (int step = 0; step < 3; ++step) {
    loads.back().utilization = 0.1 * step;
    factors = feedback.step(factors, loads, 11, kSettings);
    EXPECT_FALSE(factors.contains(11)) << "step " << step;
  }
  for (int step = 0; step < 4; ++step) factors = feedback.step(factors, loads, 11, kSettings);
  EXPECT_GT(factors[11], 1000u) << "and then it counts";
}

TEST(LoadFeedback, OneReportThatJumpsMovesLittle) {
  LoadFeedback feedback;
  LoadFeedback::Factors factors;
  for (int step = 0; step < 5; ++step) factors = feedback.step(factors, equal_loads(10, 0.5), 10, kSettings);
  Loads loads = equal_loads(10, 0.5);
  loads[0].utilization = 1;
  factors = feedback.step(factors, loads, 10, kSettings);
  for (int step = 0; step < 10; ++step) factors = feedback.step(factors, equal_loads(10, 0.5), 10, kSettings);
  for (const auto& [id, factor] : factors) EXPECT_NEAR(factor, 1000, 150) << id;
}

TEST(LoadFeedback, TakesNumbersThatCannotBe) {
  LoadFeedback feedback;
  Loads loads = equal_loads(4, 0.5);
  loads[0].utilization = 1e300;
  loads[1].utilization = -5;
  for (int step = 0; step < 50; ++step) {
    for (const auto& [id, factor] : feedback.step({}, loads, 4, kSettings)) {
      EXPECT_GE(factor, 250u);
      EXPECT_LE(factor, 4000u);
    }
  }
}

}  // namespace
}  // namespace gatehouse::l4
