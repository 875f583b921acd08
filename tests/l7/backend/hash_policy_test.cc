// Consistent hashing: how evenly keys are spread, and which of them move when members come, go or may not be
// chosen.
#include "l7/backend/hash_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kKeys = 100'000;
using Kind = HashPolicy::Kind;

std::vector<HashedMember> members(std::size_t count, std::uint32_t weight = 1) {
  std::vector<HashedMember> made;
  for (std::size_t i = 0; i < count; ++i)
    made.push_back({hash_of("192.0.2." + std::to_string(i) + ":80"), weight});
  return made;
}

// The member of each key; `out` may not be chosen.
std::vector<std::size_t> owners(Kind kind, const std::vector<HashedMember>& of,
                                std::size_t out = HashPolicy::kNobody) {
  HashPolicy policy(kind);
  policy.build(of);
  std::vector<std::size_t> found;
  for (std::size_t key = 0; key < kKeys; ++key)
    found.push_back(policy.find(hash_of("user-" + std::to_string(key)),
                                [out](std::size_t index) { return index != out; }));
  return found;
}

std::vector<std::size_t> counts(const std::vector<std::size_t>& owners, std::size_t members) {
  std::vector<std::size_t> count(members);
  for (const std::size_t owner : owners) ++count[owner];
  return count;
}

class Hashing : public testing::TestWithParam<Kind> {};

TEST_P(Hashing, ABackendAddedToAPoolOfTenMovesAtMostTwelvePercentOfTheKeys) {
  const auto before = owners(GetParam(), members(10)), after = owners(GetParam(), members(11));
  std::size_t moved = 0, astray = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    moved += before[key] != after[key];
    astray += before[key] != after[key] && after[key] != 10;
  }
  std::printf("%.2f %% of the keys moved, %.2f %% between members that stayed\n", 100.0 * moved / kKeys,
              100.0 * astray / kKeys);
  EXPECT_LE(moved, kKeys * 12 / 100);
  EXPECT_GE(moved, kKeys * 7 / 100);
}

TEST_P(Hashing, OneThatMayNotBeChosenMovesItsKeysAloneAndToAllOthers) {
  const auto before = owners(GetParam(), members(10)), after = owners(GetParam(), members(10), 3);
  std::vector<std::size_t> taken(10);
  for (std::size_t key = 0; key < kKeys; ++key) {
    if (before[key] != 3) {
      ASSERT_EQ(before[key], after[key]);
    }
    if (before[key] == 3) ++taken[after[key]];
  }
  EXPECT_EQ(taken[3], 0u);
  for (std::size_t i = 0; i < 10; ++i) {
    if (i != 3) {
      EXPECT_GT(taken[i], kKeys / 10 / 9 / 4) << i;
    }
  }
}

TEST_P(Hashing, SpreadsKeysByWeight) {
  auto all = members(4, 2);
  all[1].weight = 4;
  all[2].weight = 0;
  const auto count = counts(owners(GetParam(), all), 4);
  const double tolerance = GetParam() == Kind::kMaglev ? 0.02 : 0.25;
  EXPECT_NEAR(static_cast<double>(count[0]), kKeys / 4.0, kKeys / 4.0 * tolerance);
  EXPECT_NEAR(static_cast<double>(count[1]), kKeys / 2.0, kKeys / 2.0 * tolerance);
  EXPECT_EQ(count[2], 0u);
}

TEST_P(Hashing, DoesNotDependOnTheOrderOfMembers) {
  auto all = members(7);
  const auto before = owners(GetParam(), all);
  std::reverse(all.begin(), all.end());
  const auto after = owners(GetParam(), all);
  for (std::size_t key = 0; key < kKeys; ++key) ASSERT_EQ(before[key], 6 - after[key]);
}

TEST_P(Hashing, FindsTheOnlyOneLeftAndNobodyWhenThereIsNone) {
  HashPolicy policy(GetParam());
  const auto any = [](std::size_t) { return true; };
  EXPECT_EQ(policy.find(1, any), HashPolicy::kNobody);
  policy.build(members(3, 0));
  EXPECT_EQ(policy.find(1, any), HashPolicy::kNobody);
  policy.build(members(300));
  for (std::uint64_t key = 0; key < 1'000; ++key) {
    EXPECT_EQ(policy.find(hash_of(std::to_string(key)), [](std::size_t index) { return index == 217; }),
              217u);
    EXPECT_EQ(policy.find(key, [](std::size_t) { return false; }), HashPolicy::kNobody);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Hashing, testing::Values(Kind::kMaglev, Kind::kRing),
                         [](const auto& info) { return info.param == Kind::kMaglev ? "Maglev" : "Ring"; });

}  // namespace
}  // namespace gatehouse::l7
