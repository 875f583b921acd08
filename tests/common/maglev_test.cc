// Maglev by itself: what the ring is made of. The rings of a whole site are in
// tests/l4/ring_compiler_test.cc.
#include "common/maglev.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/support/plain_maglev.h"

namespace gatehouse {
namespace {

// Slots by seed, so that rings of differently ordered members can be compared.
std::vector<std::uint64_t> seeds_of(const std::vector<MaglevMember>& members, std::uint32_t slots) {
  std::vector<std::uint64_t> seeds;
  for (const std::uint32_t index : build_maglev(members, slots)) {
    seeds.push_back(index == kNoMember ? 0 : members.at(index).seed);
  }
  return seeds;
}

std::map<std::uint64_t, std::uint32_t> shares_of(const std::vector<MaglevMember>& members,
                                                 std::uint32_t slots) {
  std::map<std::uint64_t, std::uint32_t> shares;
  for (const std::uint64_t seed : seeds_of(members, slots)) ++shares[seed];
  return shares;
}

TEST(Maglev, KnowsPrimes) {
  const struct {
    std::uint32_t number;
    bool is_prime;
  } rows[] = {
      {0, false},           {1, false},           {2, true},           {3, true},
      {4, false},           {9, false},           {25, false},         {251, true},
      {65535, false},       {65536, false},       {65537, true},       {65539, true},
      {655373, true},       {655371, false},      {65537u * 3, false}, {2147483647, true},
      {2147483648u, false}, {4294967291u, false},
  };
  // The last one is a prime, but beyond the largest ring: a walk's position would overflow.
  for (const auto& row : rows) EXPECT_EQ(is_prime(row.number), row.is_prime) << row.number;
}

// The build leaps where the paper walks: the rings are the same.
TEST(Maglev, AgreesWithThePaperSlotBySlot) {
  std::mt19937_64 random(29);
  for (const std::uint32_t slots : {2u, 3u, 5u, 7u, 61u, 251u, 1009u, 4093u, 65537u, 262147u}) {
    for (const std::size_t count : {1u, 2u, 3u, 10u, 100u, 1000u}) {
      for (const std::uint32_t heaviest : {1u, 7u, 5000u}) {
        if (slots > 10'000 && (count == 2 || heaviest == 7)) continue;
        std::vector<MaglevMember> members;
        for (std::size_t i = 0; i < count; ++i) members.push_back({random(), static_cast<std::uint32_t>(random() % heaviest + 1)});
        if (count > 2) members[count / 2].weight = 0;
        ASSERT_EQ(build_maglev(members, slots), test::plain_maglev(members, slots)) << slots << " slots, " << count << " members";
      }
    }
  }
}

TEST(Maglev, NobodyOwnsTheSlotsOfAnEmptyRing) {
  for (const std::uint32_t index : build_maglev({}, 251)) EXPECT_EQ(index, kNoMember);
}

TEST(Maglev, MembersWithoutWeightOwnNothing) {
  const std::vector<MaglevMember> none = {{1, 0}, {2, 0}};
  for (const std::uint32_t index : build_maglev(none, 251)) EXPECT_EQ(index, kNoMember);

  const std::vector<MaglevMember> some = {{1, 0}, {2, 1}, {3, 0}, {4, 1}};
  const auto shares = shares_of(some, 251);
  EXPECT_EQ(shares.size(), 2u);
  EXPECT_FALSE(shares.contains(0) || shares.contains(1) || shares.contains(3));
}

TEST(Maglev, WhoHasNoWeightDoesNotMoveTheOthers) {
  EXPECT_EQ(seeds_of({{1, 2}, {7, 3}}, 251), seeds_of({{1, 2}, {3, 0}, {7, 3}}, 251));
}

TEST(Maglev, OneMemberOwnsEverything) {
  for (const std::uint32_t weight : {1u, 7u, 0xffffffffu}) {
    const auto shares = shares_of({{42, weight}}, 251);
    EXPECT_EQ(shares, (std::map<std::uint64_t, std::uint32_t>{{42, 251}})) << weight;
  }
}

TEST(Maglev, MoreMembersThanSlotsFillTheRing) {
  std::vector<MaglevMember> members;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) members.push_back({seed, 1});
  for (const std::uint32_t slots : {2u, 3u, 5u}) {
    const auto shares = shares_of(members, slots);
    EXPECT_EQ(shares.size(), slots);
    EXPECT_FALSE(shares.contains(0));
  }
}

TEST(Maglev, TheOrderOfMembersDoesNotMatter) {
  std::vector<MaglevMember> members;
  for (std::uint64_t seed = 1; seed <= 40; ++seed)
    members.push_back({seed, static_cast<std::uint32_t>(seed % 5)});
  const auto expected = seeds_of(members, 1009);
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(members.begin(), members.end(), random);
    EXPECT_EQ(seeds_of(members, 1009), expected) << "round " << round;
  }
}

TEST(Maglev, OnlyTheProportionOfWeightsMatters) {
  EXPECT_EQ(seeds_of({{1, 1}, {2, 2}, {3, 5}}, 1009), seeds_of({{1, 100}, {2, 200}, {3, 500}}, 1009));
}

TEST(Maglev, AMemberOfLittleWeightBesideAHeavyOneGetsItsShare) {
  const auto shares = shares_of({{1, 1}, {2, 100}}, 65537);
  EXPECT_NEAR(shares.at(1), 65537.0 / 101, 2);
  EXPECT_EQ(shares.at(1) + shares.at(2), 65537u);
}

}  // namespace
}  // namespace gatehouse
