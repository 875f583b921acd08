// From generations to slots: a pure function, so that every L4 host with the same generations makes the same ring.
//   owner  = Maglev of the newest generation's active members;
//   hops   = the distinct owners of that slot in the generations before, newest first, at most three, without nodes that are
//            down or gone in the newest generation. When nobody is active the newest of them owns the slot: draining nodes
//            that are all there is serve on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "l4/membership.h"

namespace gatehouse::l4 {

// Remembers the Maglev ring of each generation it has seen, by the members that own slots: a new generation costs one build.
class RingCompiler {
 public:
  explicit RingCompiler(std::uint32_t slots) : slots_(slots) {}

  // `generations`: oldest first. Slots as bpf/abi.h has them; all zero when nobody is active.
  std::vector<std::uint64_t> compile(std::span<const Generation> generations);

 private:
  struct Built {
    std::vector<Member> owners;           // active members with weight
    std::vector<std::uint16_t> ring;      // slot → node id, 0: nobody
  };
  const Built& build(const Generation& generation);

  std::uint32_t slots_;
  std::vector<Built> cache_;  // most recently used last
};

// A number that is equal on hosts whose rings are equal.
std::uint64_t ring_digest(std::span<const std::uint64_t> ring);

}  // namespace gatehouse::l4
