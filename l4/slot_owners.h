// Who owns which slot of a ring: a pure function of the ring's members, made so that little moves when they
// change.
//   base    Maglev of all members by weight, whether they may own slots now or not.
//   owners  a member keeps its base slots for as long as it may own slots at all and has a claim to so many;
//   slots without an
//           owner go to members that have too few, each along a walk of its own over the base.
// So the death of a node moves the slots of that node and hardly any other, its return moves them back, and a
// claim that changes by a little moves a little. Shares are those of the claims, to one slot.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gatehouse::l4 {

// A member as a ring sees it. Ids are below GH_MAX_NODES.
struct RingMember {
  std::uint16_t id = 0;
  std::uint32_t weight = 0;  // share of the base
  std::uint64_t claim = 0;   // share of the slots; 0: owns none
  bool operator==(const RingMember&) const = default;
};

struct BaseRing {
  std::vector<std::uint16_t> owners;  // slot → id; 0: no member has weight
  std::vector<std::uint32_t> counts;  // id → slots
};
// Costs one Maglev build. `members` in order of id.
BaseRing build_base(std::span<const RingMember> members, std::uint32_t slots);

// slot → id into `owners`, which has the size of the base; all 0 when nobody has a claim.
void assign_owners(const BaseRing& base, std::span<const RingMember> members,
                   std::span<std::uint16_t> owners);

}  // namespace gatehouse::l4
