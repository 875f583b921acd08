// Rings and histories for tests: by hand, at random, and what is read from them.
#pragma once

#include <map>
#include <random>
#include <vector>

#include "bpf/abi.h"
#include "l4/ring_compiler.h"

namespace gatehouse::l4 {

inline constexpr std::uint32_t kSlots = 65537;
inline constexpr std::uint32_t kFewSlots = 251;

using Ring = std::vector<std::uint64_t>;
using Members = std::vector<Member>;

inline Members equal_members(std::uint16_t count) {
  Members members;
  for (std::uint16_t id = 1; id <= count; ++id) members.push_back({id, 1, MemberState::kActive});
  return members;
}

inline Generation generation(std::uint16_t epoch, Members members) {
  return {epoch, epoch, std::move(members)};
}

inline Ring compile(std::uint32_t slots, std::vector<Generation> generations) {
  return compile_ring(generations, slots);
}

inline std::vector<std::uint16_t> hops_of(std::uint64_t slot) {
  std::vector<std::uint16_t> hops;
  for (int place = 0; place < GH_HOPS; ++place) hops.push_back(gh_slot_hop(slot, place));
  while (!hops.empty() && hops.back() == 0) hops.pop_back();
  return hops;
}

inline std::uint16_t owner_of(std::uint64_t slot) { return gh_slot_hop(slot, 0); }

inline std::map<std::uint16_t, double> shares_of(const Ring& ring) {
  std::map<std::uint16_t, double> shares;
  for (const std::uint64_t slot : ring) shares[owner_of(slot)] += 1;
  return shares;
}

inline Members random_members(std::mt19937& random) {
  Members members;
  for (std::uint16_t id = 1; id <= 9; ++id) {
    if (random() % 5 == 0) continue;
    const MemberState states[] = {MemberState::kActive, MemberState::kActive, MemberState::kDraining,
                                  MemberState::kDown};
    members.push_back({id, static_cast<std::uint32_t>(random() % 4), states[random() % 4]});
  }
  return members;
}

// Times differ from history to history: a compiler knows a generation by epoch and time.
inline std::vector<Generation> random_history(std::mt19937& random, std::int64_t time = 0) {
  std::vector<Generation> generations;
  const std::size_t count = 1 + random() % Membership::kMost;
  while (generations.size() < count) {
    generations.push_back(
        generation(static_cast<std::uint16_t>(generations.size() + 1), random_members(random)));
    generations.back().time = time;
  }
  return generations;
}

}  // namespace gatehouse::l4
