// Maglev consistent hashing (Eisenbud et al., NSDI 2016, §3.4): every member walks its own permutation of the ring's slots
// and takes the next free one at its turn; a member of weight w gets w turns in the time that the heaviest gets its own.
// A pure function of its input: equal members give equal rings, in whatever order they are listed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gatehouse {

struct MaglevMember {
  std::uint64_t seed = 0;    // identity: decides the permutation; unique
  std::uint32_t weight = 1;  // 0: takes part with no slot
};

inline constexpr std::uint32_t kNoMember = 0xffffffff;

// ring[slot] = index into `members`; kNoMember everywhere when no member has weight. `slots` must be prime (is_prime).
std::vector<std::uint32_t> build_maglev(std::span<const MaglevMember> members, std::uint32_t slots);

bool is_prime(std::uint32_t number);

}  // namespace gatehouse
