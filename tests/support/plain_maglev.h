// Maglev as the paper has it (Eisenbud et al., NSDI 2016, figure 4, with weights): what common/maglev.h must
// agree with, and what perf/director stands beside.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "common/maglev.h"
#include "common/scramble.h"

namespace gatehouse::test {

inline std::vector<std::uint32_t> plain_maglev(const std::vector<MaglevMember>& members,
                                               std::uint32_t slots) {
  std::vector<std::uint32_t> ring(slots, kNoMember), order(members.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](auto left, auto right) { return members[left].seed < members[right].seed; });
  std::vector<std::uint32_t> position, skip;
  std::vector<std::uint64_t> credit(members.size());
  std::uint64_t heaviest = 0;
  for (const MaglevMember& member : members) {
    position.push_back(static_cast<std::uint32_t>(scramble(member.seed) % slots));
    skip.push_back(static_cast<std::uint32_t>(scramble(scramble(member.seed)) % (slots - 1) + 1));
    heaviest = std::max<std::uint64_t>(heaviest, member.weight);
  }
  for (std::uint32_t filled = 0; heaviest > 0;) {
    for (const std::uint32_t member : order) {
      credit[member] += members[member].weight;
      if (credit[member] < heaviest) continue;
      credit[member] -= heaviest;
      while (ring[position[member]] != kNoMember) {
        position[member] += skip[member];
        if (position[member] >= slots) position[member] -= slots;
      }
      ring[position[member]] = member;
      if (++filled == slots) return ring;
    }
  }
  return ring;
}

}  // namespace gatehouse::test
