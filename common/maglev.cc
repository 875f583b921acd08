#include "common/maglev.h"

#include <algorithm>
#include <numeric>

#include "common/check.h"

namespace gatehouse {
namespace {

// splitmix64 (Steele et al., 2014): a seed of any quality becomes two independent numbers.
std::uint64_t scramble(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

// A member's walk over the slots: position + k * step modulo a prime visits each once.
struct Walk {
  std::uint32_t position;
  std::uint32_t step;
  std::uint32_t member;
  std::uint64_t weight;
  std::uint64_t credit;
};

std::vector<Walk> make_walks(std::span<const MaglevMember> members, std::uint32_t slots) {
  std::vector<std::uint32_t> order(members.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&members](std::uint32_t left, std::uint32_t right) { return members[left].seed < members[right].seed; });
  std::vector<Walk> walks;
  for (const std::uint32_t index : order) {
    const MaglevMember& member = members[index];
    if (member.weight == 0) continue;
    const std::uint64_t offset = scramble(member.seed);
    const std::uint64_t skip = scramble(offset);
    walks.push_back({static_cast<std::uint32_t>(offset % slots), static_cast<std::uint32_t>(skip % (slots - 1) + 1), index,
                     member.weight, 0});
  }
  return walks;
}

}  // namespace

std::vector<std::uint32_t> build_maglev(std::span<const MaglevMember> members, std::uint32_t slots) {
  GH_CHECK(is_prime(slots));
  std::vector<std::uint32_t> ring(slots, kNoMember);
  std::vector<Walk> walks = make_walks(members, slots);
  if (walks.empty()) return ring;
  std::uint64_t heaviest = 0;
  for (const Walk& walk : walks) heaviest = std::max(heaviest, walk.weight);

  for (std::uint32_t filled = 0;;) {
    for (Walk& walk : walks) {
      // In every round a member earns its weight and pays the heaviest's for a slot.
      walk.credit += walk.weight;
      if (walk.credit < heaviest) continue;
      walk.credit -= heaviest;
      while (ring[walk.position] != kNoMember) {
        walk.position += walk.step;  // below 2^32: both are less than slots, which is checked to be at most 2^31
        if (walk.position >= slots) walk.position -= slots;
      }
      ring[walk.position] = walk.member;
      if (++filled == slots) return ring;
    }
  }
}

bool is_prime(std::uint32_t number) {
  if (number < 2 || number > 1u << 31) return false;
  for (std::uint64_t divisor = 2; divisor * divisor <= number; ++divisor) {
    if (number % divisor == 0) return false;
  }
  return true;
}

}  // namespace gatehouse
