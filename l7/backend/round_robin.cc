// A candidate of share s is due at (0.5 + k) / s for k = 0, 1, 2 …: within one unit of time, the period, that
// is s times. Due times are quotients rounded as IEEE 754 says, so equal ones are equal and the order is
// exact.
#include <algorithm>

#include "l7/backend/policies.h"

namespace gatehouse::l7 {

bool RoundRobin::is_later(const Turn& one, const Turn& other) {
  return one.due != other.due ? one.due > other.due : one.order > other.order;
}

void RoundRobin::set_due(Turn& turn) {
  turn.due = (static_cast<double>(turn.round) + turn.phase) / turn.candidate.share;
}

void RoundRobin::set(std::span<const Member> members, std::span<const Candidate> candidates) {
  if (std::equal(candidates.begin(), candidates.end(), candidates_.begin(), candidates_.end())) return;
  std::vector<Turn> turns;
  const std::vector<double> phase = phases(members.size());
  period_ = 0;
  for (const Candidate& candidate : candidates) {
    const std::size_t order = (candidate.index + members.size() - first_ % members.size()) % members.size();
    Turn& turn = turns.emplace_back(Turn{0, order, candidate, 0, phase[candidate.index]});
    set_due(turn);
    period_ += candidate.share;
  }
  heap_ = std::move(turns);
  candidates_.assign(candidates.begin(), candidates.end());
  now_ = 0;
  turns_ = 0;
  std::make_heap(heap_.begin(), heap_.end(), is_later);
}

// By member: what it still had to wait for, in turns of its own, so that frequent changes of others take
// nobody's turn.
std::vector<double> RoundRobin::phases(std::size_t members) const {
  std::vector<double> phase(members, 0.5);
  for (const Turn& turn : heap_)
    phase[turn.candidate.index] = std::clamp((turn.due - now_) * turn.candidate.share, 1e-6, 1.0);
  return phase;
}

std::size_t RoundRobin::choose(Occasion& occasion) {
  std::size_t found = kNobody;
  auto end = heap_.end();
  while (found == kNobody && end != heap_.begin()) {
    std::pop_heap(heap_.begin(), end--, is_later);
    if (occasion.takes(end->candidate.index)) found = end->candidate.index;
    advance(*end);
  }
  while (end != heap_.end()) std::push_heap(heap_.begin(), ++end, is_later);
  if (turns_ >= period_ && period_ > 0) begin_period();
  return found;
}

void RoundRobin::advance(Turn& turn) {
  now_ = turn.due;
  ++turns_;
  ++turn.round;
  set_due(turn);
}

// Everyone has had its share: numbers stay small, and the order repeats.
void RoundRobin::begin_period() {
  turns_ -= period_;
  now_ -= 1;
  for (Turn& turn : heap_) {
    turn.round -= turn.candidate.share;
    set_due(turn);
  }
  std::make_heap(heap_.begin(), heap_.end(), is_later);
}

}  // namespace gatehouse::l7
