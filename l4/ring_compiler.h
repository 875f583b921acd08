// From generations to slots: a pure function, so that every L4 host with the same generations makes the same
// ring.
//   owner  = slot_owners.h, of the newest generation's members;
//   hops   = the distinct owners of that slot in the generations before, newest first, at most three, without
//   nodes that are
//            down or gone in the newest generation. When nobody is active the newest of them owns the slot:
//            draining nodes that are all there is serve on.
#pragma once

#include <bitset>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bpf/abi.h"
#include "l4/membership.h"
#include "l4/slot_owners.h"

namespace gatehouse::l4 {

struct SlotWord {
  std::uint32_t slot = 0;
  std::uint64_t word = 0;  // as bpf/abi.h has it
};

// One ring, followed through the generations. It remembers who owned what: a log that goes on where the last
// call's ended costs what it changes; any other log is compiled from its beginning, with the same outcome.
class RingCompiler {
 public:
  explicit RingCompiler(std::uint32_t slots) : slots_(slots) {}

  // A generation as this ring has it.
  struct Step {
    const Generation* generation = nullptr;
    std::shared_ptr<const Roster> roster;  // nullptr: all members
  };
  // `log`: oldest first. The slots whose words may have changed since the last call, in order; all of them at
  // the first.
  std::vector<SlotWord> follow(std::span<const Step> log);
  // id → slots that it owns now.
  const std::vector<std::uint32_t>& owned() const { return owned_; }

 private:
  using Ids = std::bitset<GH_MAX_NODES>;
  struct Left {
    std::uint32_t slot;
    std::uint16_t owner;
  };
  struct Past {
    std::uint16_t epoch;
    std::int64_t time;
    std::shared_ptr<const Roster> roster;
    std::vector<Left> left;  // the slots that have another owner in the generation after this one, in order
  };
  std::size_t align(std::span<const Step> log);
  void append(const Step& step);
  bool set_members(std::vector<RingMember> members);
  void forget(std::size_t count);
  void set_takers(const Generation& newest);
  std::vector<SlotWord> words_of(std::vector<std::uint32_t> slots) const;

  std::uint32_t slots_;
  std::vector<Past> past_;  // oldest first; the last one is the present
  std::vector<RingMember> members_;
  BaseRing base_;
  std::vector<std::uint16_t> owners_;
  std::vector<std::uint16_t> next_owners_;  // kept: to allocate it anew costs more than to fill it
  std::vector<std::uint32_t> owned_ = std::vector<std::uint32_t>(GH_MAX_NODES);
  Ids takers_;                          // who can be a hop
  std::vector<std::uint32_t> touched_;  // slots to say in this call
  bool is_all_touched_ = false;
};

// The whole ring of `generations`, oldest first; all zero when nobody is active.
std::vector<std::uint64_t> compile_ring(std::span<const Generation> generations, std::uint32_t slots);

// A number that is equal on hosts whose rings are equal.
std::uint64_t ring_digest(std::span<const std::uint64_t> ring);

}  // namespace gatehouse::l4
