// The policies that draw lots. They give up after a few draws that nobody takes: the pool then looks at
// everyone.
#include <algorithm>

#include "common/scramble.h"
#include "l7/backend/peak_ewma.h"
#include "l7/backend/policies.h"

namespace gatehouse::l7 {
namespace {

constexpr int kDraws = 4;

}  // namespace

void Lots::set(std::span<const Candidate> candidates) {
  sums_.clear();
  std::uint64_t sum = 0;
  for (const Candidate& candidate : candidates) sums_.push_back(sum += candidate.share);
}

// The upper half of a product in place of a division (Lemire, 2019); what that favours is less than 2^-20 of
// a share.
std::uint64_t Lots::below(std::uint64_t limit) {
  const std::uint64_t random = scramble(state_ += 0x9e3779b97f4a7c15);
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(random) * limit) >> 64);
}

std::size_t Lots::place_of(std::uint64_t ticket) const {
  return static_cast<std::size_t>(std::upper_bound(sums_.begin(), sums_.end(), ticket) - sums_.begin());
}

std::size_t Lots::draw() { return place_of(below(sums_.back())); }

std::size_t Lots::draw_beside(std::size_t place) {
  const std::uint64_t first = place == 0 ? 0 : sums_[place - 1], share = sums_[place] - first;
  const std::uint64_t ticket = below(sums_.back() - share);
  return place_of(ticket < first ? ticket : ticket + share);
}

void WeightedRandom::set(std::span<const Member>, std::span<const Candidate> candidates) {
  lots_.set(candidates);
  candidates_.assign(candidates.begin(), candidates.end());
}

std::size_t WeightedRandom::choose(Occasion& occasion) {
  for (int draw = 0; draw < kDraws && !candidates_.empty(); ++draw) {
    const std::size_t index = candidates_[lots_.draw()].index;
    if (occasion.takes(index)) return index;
  }
  return kNobody;
}

void BestOfTwo::set(std::span<const Member> members, std::span<const Candidate> candidates) {
  lots_.set(candidates);
  candidates_.assign(candidates.begin(), candidates.end());
  backends_.clear();
  for (const Candidate& candidate : candidates) backends_.push_back(&*members[candidate.index].backend);
}

// When they are equal it is the first: so weights are honoured while nothing is in flight.
std::size_t BestOfTwo::choose(Occasion& occasion) {
  std::size_t first = kNobody;
  for (int draw = 0; draw < kDraws && first == kNobody && lots_.size() > 0; ++draw) {
    const std::size_t place = lots_.draw();
    if (occasion.takes(candidates_[place].index)) first = place;
  }
  if (first == kNobody) return kNobody;
  const std::size_t second = lots_.size() > 1 ? lots_.draw_beside(first) : first;
  if (second == first || !occasion.takes(candidates_[second].index)) return candidates_[first].index;
  const double one = load_of(*backends_[first]) * candidates_[second].share;
  const double other = load_of(*backends_[second]) * candidates_[first].share;
  return candidates_[other < one ? second : first].index;
}

double TwoChoices::load_of(const Backend& backend) const {
  return static_cast<double>(backend.in_flight(facts().board.workers_seen()));
}

double PeakEwma::load_of(const Backend& backend) const {
  const std::uint64_t in_flight = backend.in_flight(facts().board.workers_seen());
  const BackendCell* cell = backend.cell();
  return peak_load(cell ? cell->peak_ewma.load(std::memory_order_relaxed) : 0, board_time(facts().loop.now()),
                   in_flight);
}

}  // namespace gatehouse::l7
