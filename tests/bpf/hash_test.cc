// The VIP table takes what it was made for, and gives back what it took.
#include "bpf/hash.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace gatehouse::test {
namespace {

constexpr std::size_t kPlaces = 2 * GH_VIP_LINES;

gh_vip_entry entry_of(std::uint64_t low, std::uint16_t port) {
  gh_vip_entry entry{};
  entry.address.low = low;
  entry.key = gh_entry_key(port, 0, GH_ENTRY_VIP);
  return entry;
}

bool is_in(const std::vector<gh_vip_line>& half, const gh_vip_entry& entry) {
  const __u64 hash = gh_entry_hash(&entry.address, entry.key);
  for (const __u32 line : {gh_first_line(hash), gh_second_line(hash)}) {
    for (const gh_vip_entry& place : half[line].entry) {
      if (place.is_used && place.address.low == entry.address.low && place.port == entry.port) return true;
    }
  }
  return false;
}

// The limits ask for half of the places: a port and an address for each of GH_MAX_VIPS. Two choices of lines
// of two can hold nine tenths.
TEST(VipTable, TakesThreeQuartersOfItsPlaces) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<gh_vip_line> half(GH_VIP_LINES);
    std::vector<gh_vip_entry> entries;
    while (entries.size() < kPlaces * 3 / 4) {
      // Neighbours with equal ports in every other round.
      const std::uint64_t low = round % 2 ? random() : 0xffff0000u | (entries.size() * (round + 1)) << 40;
      entries.push_back(entry_of(low, static_cast<std::uint16_t>(round % 2 ? random() : 443)));
      ASSERT_EQ(gh_place(half.data(), entries.back()), 0)
          << "round " << round << ", entry " << entries.size();
    }
    for (const gh_vip_entry& entry : entries) ASSERT_TRUE(is_in(half, entry)) << "round " << round;
  }
}

TEST(VipTable, ThatIsFullSaysSo) {
  std::vector<gh_vip_line> half(GH_VIP_LINES);
  std::size_t placed = 0;
  while (placed <= kPlaces && gh_place(half.data(), entry_of(placed, 443)) == 0) ++placed;
  EXPECT_LE(placed, kPlaces);
}

}  // namespace
}  // namespace gatehouse::test
