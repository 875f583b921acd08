// Drained members keep their place in the table: their keys come back with them.
#include "l7/adjusted_weight.h"
#include "l7/backend/policies.h"

namespace gatehouse::l7 {

Hashed::Hashed(const PolicyFacts& facts)
    : facts_(facts),
      turns_(facts),
      table_(facts.config.policy == "maglev" ? HashPolicy::Kind::kMaglev : HashPolicy::Kind::kRing) {}

void Hashed::set(std::span<const Member> members, std::span<const Candidate> candidates) {
  turns_.set(members, candidates);
  std::vector<HashedMember> now;
  backends_.clear();
  for (const Member& member : members) {
    const BackendCell* cell = member.backend->cell();
    const std::uint64_t adjusted = cell ? cell->adjusted.load(std::memory_order_relaxed) : 0;
    now.push_back({member.key, weight_now(adjusted, member.base)});
    backends_.push_back(&*member.backend);
  }
  shares_.assign(members.size(), 0);
  sum_ = 0;
  for (const Candidate& candidate : candidates) {
    shares_[candidate.index] = members[candidate.index].weight;
    sum_ += members[candidate.index].weight;
  }
  if (now == hashed_) return;
  hashed_ = std::move(now);
  table_.build(hashed_);
}

std::size_t Hashed::choose(Occasion& occasion) {
  if (!occasion.wish().hash) return turns_.choose(occasion);
  const std::uint64_t hash = *occasion.wish().hash;
  const std::uint64_t in_flight = facts_.config.hash->max_load > 0 ? sum_of(facts_.cell.requests) : 0;
  const auto is_free = [&](std::size_t index) {
    return shares_[index] > 0 && has_load_left(*backends_[index], shares_[index], in_flight) &&
           occasion.takes(index);
  };
  const std::size_t found = table_.find(hash, is_free);
  if (found != kNobody || in_flight == 0) return found;
  return table_.find(hash, [&](std::size_t index) { return shares_[index] > 0 && occasion.takes(index); });
}

// Consistent hashing with bounded loads (Mirrokni et al., 2018): nobody has more than max_load percent of its
// share of the requests in flight on the node, this one included.
bool Hashed::has_load_left(const Backend& backend, std::uint32_t share, std::uint64_t in_flight) const {
  if (in_flight == 0) return true;
  const std::uint64_t whole = sum_ * 100;
  const std::uint64_t most = (in_flight * facts_.config.hash->max_load * share + whole - 1) / whole;
  return backend.in_flight(facts_.board.workers_seen()) < most;
}

}  // namespace gatehouse::l7
