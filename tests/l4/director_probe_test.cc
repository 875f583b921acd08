// Membership by evidence: hello and probes that are answered, node by node.
#include <gtest/gtest.h>

#include "tests/l4/director_site.h"

namespace gatehouse::l4 {
namespace {

using Ids = std::set<std::uint16_t>;

class ProbedDirector : public testing::Test {
 protected:
  void SetUp() override {
    if (!network_.is_ready()) GTEST_SKIP() << "needs root, for marks on probes and a network of its own";
    target_ = std::make_unique<ProbeTarget>(site_.loop);
    site_.probe(*target_);
  }
  void start() {
    const Status started = site_.start();
    ASSERT_TRUE(started) << started.error().message;
  }
  void say_hello(const Ids& nodes) {
    for (const std::uint16_t node : nodes) site_.director->on_hello(node);
  }
  // All three have joined and all are up.
  void start_complete() {
    target_->answering = {1, 2, 3};
    start();
    say_hello({1, 2, 3});
    turn_until(site_.loop, [&] { return site_.epoch() == 1; });
  }
  // Long enough for any probe to be believed, and then some.
  void turn_long_enough() { turn_for(site_.loop, site_.config.probe.interval * 20); }

  PrivateNetwork network_;  // before the loop, and after all that is in it
  DirectorSite site_;
  std::unique_ptr<ProbeTarget> target_;
};

TEST_F(ProbedDirector, ANodeJoinsByHelloAndProbes) {
  target_->answering = {1, 2};
  start();
  say_hello({2, 3});
  turn_until(site_.loop, [&] { return site_.states() == "down active down"; });
  turn_for(site_.loop, Duration(500));
  EXPECT_EQ(site_.states(), "down active down");
}

TEST_F(ProbedDirector, TheFirstRingComesAtOnceWhenAllAreUp) {
  const auto begin = EventLoop::Clock::now();
  start_complete();
  EXPECT_LT(EventLoop::Clock::now() - begin, Duration(2'500));
  EXPECT_EQ(site_.owners(), (Ids{1, 2, 3}));
  EXPECT_EQ(Membership::load(site_.membership_file())->generations(),
            site_.director->membership().generations());
}

TEST_F(ProbedDirector, TheFirstRingWaitsThreeSecondsForTheOthers) {
  target_->answering = {1, 2};
  start();
  say_hello({1, 2, 3});
  turn_until(site_.loop, [&] { return site_.states() == "active active down"; });
  const auto begin = EventLoop::Clock::now();
  EXPECT_TRUE(site_.ring().empty());
  turn_until(site_.loop, [&] { return site_.epoch() == 1; });
  const auto waited = EventLoop::Clock::now() - begin;
  EXPECT_GT(waited, Duration(2'500));
  EXPECT_LT(waited, Duration(5'000));
  EXPECT_EQ(site_.owners(), (Ids{1, 2}));
  target_->answering.insert(3);
  turn_until(site_.loop, [&] { return site_.epoch() == 2; });
  EXPECT_EQ(site_.owners(), (Ids{1, 2, 3})) << "later ones join without a wait";
}

TEST_F(ProbedDirector, ANodeWhoseProbesFailLeavesAndComesBack) {
  start_complete();
  turn_long_enough();  // the path is proven
  target_->answering = {1, 3};
  turn_until(site_.loop, [&] { return site_.epoch() == 2; });
  EXPECT_EQ(site_.states(), "active down active");
  EXPECT_EQ(site_.owners(), (Ids{1, 3}));
  EXPECT_FALSE(site_.earlier_owners().contains(2)) << "nobody is there to take a packet";
  target_->answering = {1, 2, 3};
  turn_until(site_.loop, [&] { return site_.epoch() == 3; });
  EXPECT_EQ(site_.states(), "active active active");
  EXPECT_EQ(site_.owners(), (Ids{1, 2, 3}));
}

TEST_F(ProbedDirector, ANodeThatSaysNothingOrTheWrongThingLeavesToo) {
  start_complete();
  turn_long_enough();
  target_->answering = {1, 3};
  target_->silent = {2};
  turn_until(site_.loop, [&] { return site_.states() == "active down active"; });
  EXPECT_EQ(site_.director->find_node(2)->probe->reason(), "no answer within 50ms");
  target_->silent.clear();
  turn_until(site_.loop,
             [&] { return site_.director->find_node(2)->probe->reason() != "no answer within 50ms"; });
  target_->answer = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
  turn_until(site_.loop, [&] {
    return site_.director->find_node(1)->probe->reason() == "answered \"HTTP/1.1 503 Service Unavailable\"";
  });
}

TEST_F(ProbedDirector, OneMissedProbeIsNoReason) {
  start_complete();
  turn_long_enough();
  target_->answering = {1, 3};
  turn_until(site_.loop, [&] { return !site_.director->find_node(2)->probe->reason().empty(); });
  target_->answering = {1, 2, 3};
  turn_until(site_.loop, [&] { return site_.director->find_node(2)->probe->reason().empty(); });
  turn_long_enough();
  EXPECT_EQ(site_.states(), "active active active");
  EXPECT_EQ(site_.epoch(), 1);
}

TEST_F(ProbedDirector, AllFailingAtOnceChangeNothingNorDoesTheirReturn) {
  start_complete();
  turn_long_enough();
  const auto ring = site_.ring();
  target_->answering = {};
  turn_until(site_.loop, [&] {
    const auto& nodes = site_.director->nodes();
    return std::none_of(nodes.begin(), nodes.end(),
                        [](const auto& entry) { return entry.second.probe->is_up(); });
  });
  turn_long_enough();
  EXPECT_EQ(site_.states(), "active active active");
  target_->answering = {1, 2, 3};
  turn_long_enough();
  EXPECT_EQ(site_.states(), "active active active");
  EXPECT_EQ(site_.epoch(), 1);
  EXPECT_EQ(site_.ring(), ring);
}

TEST_F(ProbedDirector, WhoStaysAwayWhenTheOthersReturnIsDown) {
  start_complete();
  turn_long_enough();
  target_->answering = {};
  turn_long_enough();
  target_->answering = {1, 2};
  turn_until(site_.loop, [&] { return site_.states() == "active active down"; });
  EXPECT_EQ(site_.epoch(), 2);
}

TEST_F(ProbedDirector, ARestartGoesOnAlthoughProbesAreYetToCome) {
  start_complete();
  const std::uint64_t digest = site_.digest();
  target_->answering = {};
  start();
  EXPECT_EQ(site_.digest(), digest);
  turn_long_enough();
  EXPECT_EQ(site_.states(), "active active active");
  EXPECT_EQ(site_.epoch(), 1);
}

TEST_F(ProbedDirector, ALostLinkIsNoEvidence) {
  start_complete();
  site_.director->on_report(site_.report(2, true, 3));
  turn_until(site_.loop, [&] { return site_.states() == "active draining active"; });
  turn_long_enough();  // without any more reports
  EXPECT_EQ(site_.states(), "active draining active");
}

TEST_F(ProbedDirector, AReloadChangesTheProbesOfKnownNodes) {
  start_complete();
  ProbeTarget other(site_.loop);
  other.answering = {1, 2, 3};
  site_.config.probe.port = other.port;
  site_.config.probe.interval = Duration(80);
  ASSERT_TRUE(site_.director->set_config(site_.config));
  target_.reset();  // nobody answers where they were before
  turn_long_enough();
  for (const auto& [id, node] : site_.director->nodes()) {
    EXPECT_TRUE(node.probe->is_up()) << id << ": " << node.probe->reason();
  }
  EXPECT_EQ(site_.epoch(), 1);
}

}  // namespace
}  // namespace gatehouse::l4
