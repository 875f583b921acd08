// Who answers a request: every member is ranked, and of the best rank the policy chooses one.
#include <algorithm>

#include "l7/adjusted_weight.h"
#include "l7/backend/pool.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

Backend* Pool::choose(const Wish& wish) {
  if (const std::uint64_t version = context_.board.version(); version != version_) {
    version_ = version;
    refresh();
  }
  was_full_ = was_bound_full_ = false;
  const Rank best = rank_members(wish);
  if (best == Rank::kNot) return nullptr;
  for (Member& member : members_) {
    const bool is_bound = wish.bound && wish.bound == &*member.backend;
    if (is_bound && static_cast<Rank>(member.rank) <= Rank::kGoodBackup) return wish.bound;
    member.is_candidate = member.rank == static_cast<std::uint8_t>(best);
  }
  if (hash_ && wish.hash) {
    if (Member* member = choose_by_hash(*wish.hash)) return &*member->backend;
  }
  if (config_.slow_start.count() > 0) warm_up();
  return &*choose_round_robin(members_)->backend;
}

Pool::Rank Pool::rank_members(const Wish& wish) {
  const bool is_panicking = is_panic();
  if (is_panicking && config_.panic != "use-all") return Rank::kNot;
  Rank best = Rank::kNot;
  for (const bool backups : {false, true}) {
    if (backups && !has_backups_) break;
    for (Member& member : members_) {
      if (member.is_backup != backups) continue;
      // A backup stands in for those that are down, not for those that have enough to do.
      const Rank rank = backups && was_full_ ? Rank::kNot : rank_of(member, wish, is_panicking);
      member.rank = static_cast<std::uint8_t>(rank);
      best = std::min(best, rank);
    }
  }
  return best;
}

Pool::Rank Pool::rank_of(const Member& member, const Wish& wish, bool is_panicking) {
  Backend* backend = &*member.backend;
  if (member.weight == 0 || (!is_panicking && !backend->is_healthy())) return Rank::kNot;
  if (std::find(wish.tried.begin(), wish.tried.end(), backend) != wish.tried.end()) return Rank::kNot;
  const bool is_out = !is_panicking && backend->is_ejected();
  if (is_out && !wish.tried.empty()) return Rank::kNot;
  if (backend->is_full(config_.limits)) {
    was_full_ = true;
    was_bound_full_ |= wish.bound == backend && !is_out;
    return Rank::kNot;
  }
  const auto rank = static_cast<std::uint8_t>(is_out                  ? Rank::kEjected
                                              : backend->is_avoided() ? Rank::kAvoided
                                                                      : Rank::kGood);
  return static_cast<Rank>(rank + (member.is_backup ? 1 : 0));
}

// What was set at run time holds from here on.
void Pool::refresh() {
  for (Member& member : members_) {
    const BackendCell* cell = member.backend->cell();
    if (!cell) continue;
    const BackendState state = cell->state.load(std::memory_order_relaxed);
    member.weight = state == BackendState::kEnabled
                        ? weight_now(cell->adjusted.load(std::memory_order_relaxed), member.base)
                        : 0;
    if (state == BackendState::kDisabled) member.backend->drop_all_idle();
  }
  if (hash_) rebuild_hash();
}

// Drained members keep their place: their keys come back with them.
void Pool::rebuild_hash() {
  std::vector<HashedMember> now;
  for (const Member& member : members_) {
    const BackendCell* cell = member.backend->cell();
    const std::uint32_t weight =
        cell ? weight_now(cell->adjusted.load(std::memory_order_relaxed), member.base) : member.base;
    now.push_back({key_of(*member.backend), weight});
  }
  if (now == hashed_) return;
  hashed_ = std::move(now);
  hash_->build(hashed_);
}

void Pool::warm_up() {
  const std::int64_t now = board_time(context_.loop.now()), whole = config_.slow_start.count();
  for (Member& member : members_) {
    const BackendCell* cell = member.backend->cell();
    const std::int64_t since = cell ? cell->recovered_ms.load(std::memory_order_relaxed) : 0;
    const std::int64_t age = std::max<std::int64_t>(now - since, 0);
    const bool is_warm = since == 0 || age >= whole;
    member.warmth =
        is_warm ? kWarm : std::max<std::uint32_t>(1, static_cast<std::uint32_t>(age * kWarm / whole));
  }
}

Member* Pool::choose_by_hash(std::uint64_t hash) {
  std::uint64_t weight = 0;
  for (const Member& member : members_) weight += member.is_candidate ? member.weight : 0;
  const std::uint64_t in_flight = config_.hash->max_load > 0 ? sum_of(cell_->requests) : 0;
  const auto is_free = [&](std::size_t index) {
    return members_[index].is_candidate && has_load_left(members_[index], in_flight, weight);
  };
  std::size_t found = hash_->find(hash, is_free);
  if (found == HashPolicy::kNobody)
    found = hash_->find(hash, [this](std::size_t index) { return members_[index].is_candidate; });
  return found == HashPolicy::kNobody ? nullptr : &members_[found];
}

// Consistent hashing with bounded loads (Mirrokni et al., 2018): nobody has more than max_load percent of its
// share of the requests in flight on the node, this one included.
bool Pool::has_load_left(const Member& member, std::uint64_t in_flight, std::uint64_t weight) const {
  const BackendCell* cell = member.backend->cell();
  if (in_flight == 0 || !cell) return true;
  const std::uint64_t whole = weight * 100;
  const std::uint64_t most = (in_flight * config_.hash->max_load * member.weight + whole - 1) / whole;
  return sum_of(cell->in_flight) < most;
}

}  // namespace gatehouse::l7
