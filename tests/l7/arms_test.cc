// Shares of a route's pools: how true they are, and who moves when they change.
#include "l7/arms.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/l7/support/no_pools.h"

namespace gatehouse::l7 {
namespace {

constexpr int kRequests = 100'000;

class ArmsTest : public testing::Test {
 protected:
  Arms make(const std::vector<std::uint32_t>& weights, std::uint64_t random = 1) {
    std::vector<Arms::Arm> arms;
    for (std::size_t i = 0; i < weights.size(); ++i) arms.push_back({test::no_pool(i), weights[i], &cell(i)});
    return Arms(std::move(arms), *board, random);
  }
  ArmCell& cell(std::size_t i) {
    return *board->arm(arm_key("shop", std::string(1, static_cast<char>('a' + i))));
  }
  void adjust(std::size_t arm, std::uint32_t weight, std::uint32_t base) {
    cell(arm).adjusted = pack_adjusted(weight, base);
    board->bump_version();
  }
  static std::string letters(Arms& arms, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += test::letter_of(arms.choose(arms.next_place()));
    return text;
  }
  std::unique_ptr<Board> board = Board::anonymous();
};

TEST_F(ArmsTest, ShareOf100000RequestsIsWithinATenthOfWhatIsAllowed) {
  for (const std::uint64_t random :
       {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{0x9e3779b97f4a7c15}}) {
    Arms arms = make({95, 5}, random);
    int canary = 0;
    for (int i = 0; i < kRequests; ++i) canary += test::letter_of(arms.choose(arms.next_place())) == 'b';
    EXPECT_NEAR(canary, kRequests * 0.05, kRequests * 0.0002) << "allowed are ±0.2 %";
  }
}

TEST_F(ArmsTest, AShareOfATenThousandthIsKept) {
  Arms arms = make({9'999, 1});
  int canary = 0;
  for (int i = 0; i < 10 * kRequests; ++i) canary += test::letter_of(arms.choose(arms.next_place())) == 'b';
  EXPECT_NEAR(canary, 100, 2);
}

// Places that a million clients could have.
template <typename Visit>
void for_each_place(Visit visit) {
  for (int i = 0; i < 1'000'000; ++i)
    visit(static_cast<double>(i) / 1e6, static_cast<std::uint64_t>(std::ldexp((i + 0.5) / 1e6, 64)));
}

TEST_F(ArmsTest, FromFiveToTwentyFivePercentExactlyAFifthOfTheClientsMove) {
  Arms before = make({95, 5}), after = make({75, 25});
  int moved = 0;
  for_each_place([&](double at, std::uint64_t place) {
    const char was = test::letter_of(before.choose(place)), is = test::letter_of(after.choose(place));
    moved += was != is;
    ASSERT_EQ(was != is, at >= 0.75 && at < 0.95) << at;
    ASSERT_TRUE(was == is || is == 'b');
  });
  EXPECT_EQ(moved, 200'000);
}

TEST_F(ArmsTest, ChangesBetweenNeighboursMoveNobodyElse) {
  Arms before = make({90, 5, 5}), after = make({80, 15, 5});
  int moved = 0;
  for_each_place([&](double, std::uint64_t place) {
    const char was = test::letter_of(before.choose(place)), is = test::letter_of(after.choose(place));
    ASSERT_TRUE(was == is || (was == 'a' && is == 'b'));
    moved += was != is;
  });
  EXPECT_EQ(moved, 100'000);
}

TEST_F(ArmsTest, TheEndsOfTheRangeBelongToTheOuterPools) {
  Arms arms = make({0, 1, 2, 0});
  EXPECT_EQ(test::letter_of(arms.choose(0)), 'b');
  EXPECT_EQ(test::letter_of(arms.choose(~std::uint64_t{0} / 3 - 1)), 'b');
  EXPECT_EQ(test::letter_of(arms.choose(~std::uint64_t{0} / 3 + 1)), 'c');
  EXPECT_EQ(test::letter_of(arms.choose(~std::uint64_t{0})), 'c');
}

TEST_F(ArmsTest, WithoutAnyWeightNobodyIsChosen) {
  Arms arms = make({0, 0});
  EXPECT_EQ(arms.choose(arms.next_place()), nullptr);
}

TEST_F(ArmsTest, AWeightSetAtRunTimeHoldsAtOnceForEveryWorker) {
  Arms one = make({95, 5}, 1), other = make({95, 5}, 2);
  EXPECT_NE(letters(one, 100).find('b'), std::string::npos);
  adjust(1, 0, 5);
  EXPECT_EQ(letters(one, 100).find('b'), std::string::npos) << "rolled back";
  EXPECT_EQ(letters(other, 100).find('b'), std::string::npos);
  adjust(0, 0, 95);
  EXPECT_EQ(one.choose(one.next_place()), nullptr);
  adjust(1, 7, 5);
  EXPECT_EQ(letters(other, 3), "bbb");
}

TEST_F(ArmsTest, AWeightSetAtRunTimeIsOverWhenTheConfigHasAnother) {
  adjust(1, 0, 5);
  Arms same = make({95, 5}), changed = make({95, 6});
  EXPECT_EQ(letters(same, 100).find('b'), std::string::npos);
  EXPECT_NE(letters(changed, 100).find('b'), std::string::npos);
}

TEST_F(ArmsTest, EveryChoiceIsCounted) {
  Arms arms = make({1, 1});
  letters(arms, 10);
  EXPECT_EQ(cell(0).requests + cell(1).requests, 10u);
  EXPECT_EQ(cell(0).requests.load(), 5u);
}

TEST(ArmKeys, AreOfRouteAndPool) {
  EXPECT_NE(arm_key("a", "b"), arm_key("b", "a"));
  EXPECT_NE(arm_key("a", "a"), arm_key("b", "b"));
  EXPECT_NE(arm_key("ab", ""), arm_key("a", "b"));
}

TEST(AdjustedWeight, HoldsOverTheWeightThatItWasSetOver) {
  EXPECT_EQ(weight_now(0, 5), 5u);
  EXPECT_EQ(weight_now(pack_adjusted(0, 5), 5), 0u);
  EXPECT_EQ(weight_now(pack_adjusted(1'000'000, 5), 5), 1'000'000u);
  EXPECT_EQ(weight_now(pack_adjusted(0, 5), 6), 6u);
  EXPECT_EQ(weight_now(pack_adjusted(0, 0), 0), 0u);
}

}  // namespace
}  // namespace gatehouse::l7
