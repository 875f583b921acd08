#include "l7/backend/balancer.h"

namespace gatehouse::l7 {

Member* choose_round_robin(std::span<Member> members) {
  Member* best = nullptr;
  std::int64_t earned = 0;
  for (Member& member : members) {
    if (!member.is_candidate) continue;
    const std::int64_t share = std::int64_t{member.weight} * member.warmth;
    member.credit += share;
    earned += share;
    if (!best || member.credit > best->credit) best = &member;
  }
  if (best) best->credit -= earned;
  return best;
}

}  // namespace gatehouse::l7
