// Loads are compared as fractions, crosswise: nothing is rounded.
#include "l7/backend/policies.h"

namespace gatehouse::l7 {

void LeastRequest::set(std::span<const Member> members, std::span<const Candidate> candidates) {
  std::vector<std::int64_t> credits(members.size());
  for (const Rival& rival : rivals_) credits[rival.candidate.index] = rival.credit;
  std::vector<Rival> rivals;
  for (const Candidate& candidate : candidates)
    rivals.push_back({candidate, &*members[candidate.index].backend, credits[candidate.index]});
  if (rivals_.empty() && !rivals.empty())
    rivals[facts_.worker % rivals.size()].credit = 1;  // workers begin apart
  rivals_ = std::move(rivals);
}

std::size_t LeastRequest::choose(Occasion& occasion) {
  const std::uint32_t workers = facts_.board.workers_seen();
  const Rival* best = nullptr;  // would have least with one more
  for (Rival& rival : rivals_) {
    rival.is_in = occasion.takes(rival.candidate.index);
    if (!rival.is_in) continue;
    rival.in_flight = rival.backend->in_flight(workers);
    const bool is_better = !best || (rival.in_flight + 1) * best->candidate.share <
                                        (best->in_flight + 1) * rival.candidate.share;
    if (is_better) best = &rival;
  }
  if (!best) return kNobody;
  Rival* chosen = nullptr;
  std::int64_t earned = 0;
  for (Rival& rival : rivals_) {
    if (!rival.is_in ||
        rival.in_flight * best->candidate.share >= (best->in_flight + 1) * rival.candidate.share)
      continue;
    rival.credit += rival.candidate.share;
    earned += rival.candidate.share;
    if (!chosen || rival.credit > chosen->credit) chosen = &rival;
  }
  chosen->credit -= earned;
  return chosen->candidate.index;
}

}  // namespace gatehouse::l7
