// Balancing policies: which member of a pool answers next. A policy is one function over the members; who may be chosen
// at all (health, earlier attempts of the same request) is decided before it is asked.
#pragma once

#include <cstdint>
#include <span>

#include "l7/backend/backend.h"

namespace gatehouse::l7 {

inline constexpr std::uint32_t kWarm = 256;

struct Member {
  BackendPin backend;
  std::uint32_t weight = 1;  // that holds now; 0: it gets nothing
  std::uint32_t base = 1;    // of the config
  bool is_backup = false;
  std::uint32_t warmth = kWarm;  // of kWarm: the part of its weight that one in slow start has reached
  std::int64_t credit = 0;   // of round robin
  bool is_candidate = false;  // set anew for each choice, as is its rank
  std::uint8_t rank = 0;
};

// Smooth weighted round robin: each candidate earns its weight, the richest is chosen and pays what all have earned. Over
// any run of choices everyone gets its share, evenly interleaved. nullptr: no candidate.
Member* choose_round_robin(std::span<Member> members);

}  // namespace gatehouse::l7
