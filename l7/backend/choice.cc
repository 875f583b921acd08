// Who answers a request. What seldom changes (health, ejection, avoidance, weights, zones) is looked at when
// the board or this worker says that it has changed, or when its time is over; the policy chooses among those
// of the best rank. Only when it finds nobody is everyone looked at for the one request.
#include <algorithm>
#include <cmath>

#include "common/scramble.h"
#include "l7/adjusted_weight.h"
#include "l7/backend/pool.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::int64_t kWarmSteps = 128;  // in which one in slow start grows
constexpr EventLoop::Clock::time_point kNever = EventLoop::Clock::time_point::max();

}  // namespace

bool Pool::is_look_due() const {
  return version_ != context_.board.version() || avoidances_ != context_.backends.avoidances() || context_.loop.now() >= next_look_;
}

Backend* Pool::choose(const Wish& wish) {
  if (is_look_due()) look();
  was_full_ = was_bound_full_ = false;
  if (is_refusing_) return nullptr;
  if (context_.loop.now() >= next_trial_ && wish.tried.empty()) {
    if (Backend* ejected = choose_for_trial(wish)) return ejected;
  }
  if (wish.bound) {
    if (Backend* bound = choose_bound(wish)) return bound;
  }
  Occasion occasion(members_, wish, config_.limits);
  std::size_t found = choose_by_policy(occasion);
  if (found == kNobody) found = choose_among_all(occasion);
  was_full_ = occasion.was_full();
  return found == kNobody ? nullptr : &*members_[found].backend;
}

// Unless it is less than good for anyone.
Backend* Pool::choose_bound(const Wish& wish) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (&*members_[i].backend != wish.bound) continue;
    Occasion occasion(members_, wish, config_.limits);
    const auto rank = static_cast<Rank>(members_[i].rank);
    const bool has_room = occasion.takes(i);
    was_bound_full_ = occasion.was_full() && rank < Rank::kEjected;
    return rank <= Rank::kGoodBackup && has_room ? wish.bound : nullptr;
  }
  return nullptr;
}

// By lot among those of the best rank that take it. Who failed the request before leaves no second choice of
// one that is ejected; and a backup stands in for those that are down, not for those that have enough to do.
// O(n).
std::size_t Pool::choose_among_all(Occasion& occasion) {
  std::size_t found = kNobody;
  auto best = static_cast<std::uint8_t>(Rank::kNot);
  std::uint64_t sum = 0;
  for (const bool backups : {false, true}) {
    if (backups && (!has_backups_ || occasion.was_full())) break;
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& member = members_[i];
      const bool is_out = static_cast<Rank>(member.rank) >= Rank::kEjected && !occasion.wish().tried.empty();
      if (member.is_backup != backups || member.rank > best || is_out || member.weight == 0) continue;
      if (static_cast<Rank>(member.rank) == Rank::kNot || !occasion.takes(i)) continue;
      if (member.rank < best) sum = 0;
      best = member.rank;
      sum += member.share();
      if (context_.request_ids.next_word() % sum < member.share()) found = i;
    }
  }
  return found;
}

void Pool::look() {
  version_ = context_.board.version();
  avoidances_ = context_.backends.avoidances();
  next_look_ = next_trial_ = kNever;
  for (Member& member : members_) refresh(member);
  const bool is_panicking = is_panic();
  is_refusing_ = is_panicking && config_.panic != "use-all";
  auto best = static_cast<std::uint8_t>(Rank::kNot);
  for (Member& member : members_) {
    member.rank = static_cast<std::uint8_t>(rank_of(member, is_panicking));
    best = std::min(best, member.rank);
  }
  for (Group* group : {&near_, &far_}) {
    if (!group->policy) continue;
    group->candidates.clear();
    for (std::size_t i = 0; i < members_.size(); ++i) {
      const Member& member = members_[i];
      const bool is_in = member.weight > 0 && member.rank == best && member.is_near == (group == &near_);
      if (is_in) group->candidates.push_back({i, member.share()});
    }
    group->policy->set(members_, group->candidates);
  }
  if (has_zones_) find_near_share(static_cast<Rank>(best));
}

// Each side can do what its members of the best rank weigh, overprovisioned, of the whole that it has; our
// own zone comes first, and what both together cannot do they share alike.
void Pool::find_near_share(Rank best) {
  std::uint64_t whole[2] = {}, able[2] = {};
  const bool backups = static_cast<std::uint8_t>(best) % 2 == 1;
  for (const Member& member : members_) {
    if (member.is_backup != backups) continue;
    whole[member.is_near] += member.weight;
    if (member.rank == static_cast<std::uint8_t>(best)) able[member.is_near] += member.weight;
  }
  const auto part = [&](bool is_near) {
    const double most = static_cast<double>(whole[is_near]) * 100;
    return most == 0 ? 0 : std::min(1.0, static_cast<double>(able[is_near]) * config_.overprovision / most);
  };
  const double near = part(true), far = part(false);
  near_share_ = near + far >= 1 ? near : near + far == 0 ? 1 : near / (near + far);
}

// A key always goes the same way.
bool Pool::goes_far(const Wish& wish) {
  if (near_share_ >= 1) return false;
  if (config_.hash && wish.hash)
    return std::ldexp(static_cast<double>(scramble(*wish.hash)), -64) >= near_share_;
  far_credit_ += 1 - near_share_;
  if (far_credit_ < 1) return false;
  far_credit_ -= 1;
  return true;
}

// What one side has no room for the other may have.
std::size_t Pool::choose_by_policy(Occasion& occasion) {
  if (!has_zones_) return near_.policy->choose(occasion);
  bool is_far = goes_far(occasion.wish());
  std::size_t found = (is_far ? far_ : near_).policy->choose(occasion);
  if (found == kNobody) {
    is_far = !is_far;
    found = (is_far ? far_ : near_).policy->choose(occasion);
  }
  if (is_far && found != kNobody)
    context_.board.worker(context_.index).zone_crossings.fetch_add(1, std::memory_order_relaxed);
  return found;
}

Pool::Rank Pool::rank_of(const Member& member, bool is_panicking) {
  const Backend& backend = *member.backend;
  if (member.weight == 0 || (!is_panicking && !backend.is_healthy())) return Rank::kNot;
  Rank rank = backend.is_degraded() ? Rank::kAvoided : Rank::kGood;
  if (backend.is_avoided()) {
    rank = Rank::kAvoided;
    next_look_ = std::min(next_look_, backend.avoided_until());
  }
  if (!is_panicking && backend.is_ejected()) {
    rank = Rank::kEjected;
    next_trial_ = std::min(next_trial_, trial_due(*backend.cell()));
  }
  return static_cast<Rank>(static_cast<std::uint8_t>(rank) + (member.is_backup ? 1 : 0));
}

// What was set at run time holds from here on.
void Pool::refresh(Member& member) {
  const BackendCell* cell = member.backend->cell();
  if (!cell) return;
  const BackendState state = cell->state.load(std::memory_order_relaxed);
  const bool is_on = state == BackendState::kEnabled;
  member.weight = is_on ? weight_now(cell->adjusted.load(std::memory_order_relaxed), member.base) : 0;
  if (state == BackendState::kDisabled) member.backend->drop_all_idle();
  if (config_.slow_start.count() > 0) warm_up(member, cell->recovered_ms.load(std::memory_order_relaxed));
}

void Pool::warm_up(Member& member, std::int64_t since) {
  const std::int64_t whole = config_.slow_start.count();
  const std::int64_t age = std::max<std::int64_t>(board_time(context_.loop.now()) - since, 0);
  member.warmth = kWarm;
  if (since == 0 || age >= whole) return;
  member.warmth = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(age * kWarm / whole));
  next_look_ =
      std::min(next_look_, context_.loop.now() + Duration(std::max<std::int64_t>(whole / kWarmSteps, 1)));
}

}  // namespace gatehouse::l7
