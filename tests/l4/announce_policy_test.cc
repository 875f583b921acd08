// When an address is announced: by shares of those who answer, by time, by the drain of the host.
#include "l4/announce_policy.h"

#include <gtest/gtest.h>

namespace gatehouse::l4 {
namespace {

constexpr Announcement kWithdrawn = Announcement::kWithdrawn;
constexpr Announcement kAnnounced = Announcement::kAnnounced;
constexpr Announcement kLastResort = Announcement::kLastResort;

struct Timeline {
  AnnounceRules rules;
  AnnouncePolicy policy = AnnouncePolicy();
  AnnouncePolicy::Time now{};

  Announcement at(int milliseconds, std::size_t healthy, std::size_t members, bool is_draining = false,
                  bool is_forwarding = true) {
    return policy.judge(rules, {{members, healthy}, is_forwarding, is_draining},
                        now + std::chrono::milliseconds(milliseconds));
  }
};

TEST(AnnouncePolicy, GoesByTheShareOfThoseWhoAnswer) {
  struct Row {
    std::uint32_t min_healthy;
    std::size_t healthy, members;
    Announcement expected;
  };
  const Row rows[] = {{1, 1, 3, kAnnounced},     {1, 0, 3, kWithdrawn},   {1, 0, 0, kWithdrawn},
                      {50, 1, 3, kWithdrawn},    {50, 2, 3, kAnnounced},  {50, 1, 2, kAnnounced},
                      {100, 2, 3, kWithdrawn},   {100, 3, 3, kAnnounced}, {1, 1, 4095, kWithdrawn},
                      {1, 41, 4095, kAnnounced}, {0, 0, 3, kAnnounced},   {0, 0, 0, kAnnounced}};
  for (const Row& row : rows) {
    Timeline line{{row.min_healthy, Duration(0)}};
    EXPECT_EQ(line.at(0, row.healthy, row.members), row.expected)
        << row.healthy << " of " << row.members << " at " << row.min_healthy
        << " %: " << line.policy.reason();
    EXPECT_EQ(line.policy.reason().empty(), row.expected == kAnnounced);
  }
}

TEST(AnnouncePolicy, WithdrawsAtOnceAndAnnouncesAfterAWhile) {
  Timeline line{{50, Duration(1'000)}};
  EXPECT_EQ(line.at(0, 3, 3), kWithdrawn);
  EXPECT_EQ(line.policy.reason(), "well for less than 1s");
  EXPECT_EQ(line.at(999, 3, 3), kWithdrawn);
  EXPECT_EQ(line.at(1'000, 3, 3), kAnnounced);
  EXPECT_EQ(line.at(1'100, 1, 3), kWithdrawn);
  EXPECT_EQ(line.policy.reason(), "1 of 3 answer, min_healthy is 50 %");
  // What comes and goes stays away.
  EXPECT_EQ(line.at(1'200, 2, 3), kWithdrawn);
  EXPECT_EQ(line.at(2'100, 1, 3), kWithdrawn);
  EXPECT_EQ(line.at(2'150, 2, 3), kWithdrawn);
  EXPECT_EQ(line.at(3'100, 2, 3), kWithdrawn);
  EXPECT_EQ(line.at(3'150, 2, 3), kAnnounced);
}

TEST(AnnouncePolicy, WhatARestartFindsAnnouncedStaysSo) {
  Timeline line{{50, Duration(1'000)}, AnnouncePolicy(kAnnounced)};
  EXPECT_EQ(line.at(0, 3, 3), kAnnounced);
  EXPECT_EQ(line.at(10, 0, 3), kWithdrawn);
}

TEST(AnnouncePolicy, ADrainedHostWithdrawsOrIsALastResort) {
  Timeline withdraws{{1, Duration(0)}};
  EXPECT_EQ(withdraws.at(0, 3, 3, true), kWithdrawn);
  EXPECT_EQ(withdraws.policy.reason(), "this host is drained");
  EXPECT_EQ(withdraws.at(1, 3, 3, false), kAnnounced);

  Timeline stays{{1, Duration(0), true}};
  EXPECT_EQ(stays.at(0, 3, 3), kAnnounced);
  EXPECT_EQ(stays.at(1, 3, 3, true), kLastResort);
  EXPECT_EQ(stays.policy.reason(), "this host is drained");
  EXPECT_EQ(stays.at(2, 0, 3, true), kWithdrawn);
  EXPECT_EQ(stays.at(3, 3, 3, true), kLastResort);
  EXPECT_EQ(stays.at(4, 3, 3), kAnnounced);
}

TEST(AnnouncePolicy, NothingIsAnnouncedThatNoInterfaceTakes) {
  Timeline line{{0, Duration(0)}};
  EXPECT_EQ(line.at(0, 3, 3, false, false), kWithdrawn);
  EXPECT_EQ(line.policy.reason(), "no interface takes packets of VIPs");
}

TEST(AnnouncePolicy, TheBetterOfTwoVipsIsTheOneWithTheGreaterShare) {
  EXPECT_TRUE((Health{4, 1}).is_below({3, 1}));
  EXPECT_FALSE((Health{3, 1}).is_below({4, 1}));
  EXPECT_FALSE((Health{2, 1}).is_below({4, 2}));
}

}  // namespace
}  // namespace gatehouse::l4
