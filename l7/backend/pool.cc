// What a pool allows, and when too few members are there; the choice among them is in choice.cc.
#include "l7/backend/pool.h"

#include <algorithm>
#include <map>

#include "common/log.h"
#include "l7/backend/retry_budget.h"
#include "l7/shed_reason.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

Pool::Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker,
           const TlsClientContext& tls, std::string_view zone, const SourceAddresses& sources)
    : config_(config),
      context_(backends.context()),
      tls_(tls),
      sources_(sources),
      zone_(zone),
      first_(worker),
      speaks_h2_(config.protocol == "h2"),
      counts_requests_(config.limits.max_requests > 0 || (config.hash && config.hash->max_load > 0)),
      is_timed_(config.policy == "peak-ewma"),
      is_judged_(config.ejection.deviations > 0 || config.ejection.latency_factor > 0),
      proxy_version_(parse_proxy_version(config.proxy_protocol)),
      cell_(context_.board.pool(pool_key(config.name))),
      latency_(context_.board.latency(LatencyKind::kPool, config.name)) {
  if (!cell_) cell_ = (own_cell_ = std::make_unique<PoolCell>()).get();
  if (config.affinity) affinity_.emplace(*config.affinity, "affinity");
  if (config.queue.limit > 0) queue_.emplace(context_.queues.find_or_add(config.name));
  if (config.adaptive_limit.enabled) adaptive_.emplace(config.adaptive_limit, cell_->adaptive, context_.index);
  set_members(config.backends);
}

void Pool::set_members(std::span<const config::Backend> backends) {
  std::map<Endpoint, Member*> left;
  for (Member& member : members_) left.emplace(member.backend->address(), &member);
  std::vector<Member> members;
  members.reserve(backends.size());
  has_backups_ = false;
  for (const config::Backend& backend : backends) {
    const auto known = left.find(backend.address);
    const bool stays = known != left.end();
    Member& member = members.emplace_back(stays ? std::move(*known->second) : make_member(backend.address));
    member.weight = member.base = backend.weight;
    member.is_backup = backend.backup;
    member.is_near = zone_.empty() || config_.overprovision == 0 || backend.zone == zone_;
    has_backups_ |= backend.backup;
    if (stays) left.erase(known);
  }
  for (const auto& [address, member] : left) member->backend->set_member(false);
  members_ = std::move(members);
  make_policies();
  look();
}

Member Pool::make_member(const Endpoint& address) {
  Member member{BackendPin(context_.backends.find_or_add(config_.name, address, tls_, sources_))};
  member.key = key_of(*member.backend);
  member.is_down = member.backend->is_down();
  return member;
}

// They know members by place: other members have other policies, each of which begins with another of them, so that changes
// one upon the other do not favour the first.
void Pool::make_policies() {
  const auto is_near = [](const Member& member) { return member.is_near; };
  has_zones_ = std::any_of(members_.begin(), members_.end(), is_near) && !std::all_of(members_.begin(), members_.end(), is_near);
  if (!has_zones_) std::for_each(members_.begin(), members_.end(), [](Member& member) { member.is_near = true; });
  PolicyFacts facts{config_, *cell_, context_.board, context_.loop, first_++, context_.request_ids.next_word()};
  near_.policy = make_policy(facts);
  facts.seed = context_.request_ids.next_word();
  far_.policy = has_zones_ ? make_policy(facts) : nullptr;
}

std::uint64_t Pool::key_of(const Backend& backend) const {
  return backend_key(config_.name, backend.address());
}

Backend* Pool::find(std::uint64_t key) const {
  for (const Member& member : members_) {
    if (member.key == key) return &*member.backend;
  }
  return nullptr;
}

// Drained members (weight 0) are no part of it.
bool Pool::has_too_few(bool backups, std::size_t& all, std::size_t& healthy) const {
  all = healthy = 0;
  for (const Member& member : members_) {
    if (member.weight == 0 || member.is_backup != backups) continue;
    ++all;
    healthy += member.backend->is_healthy();
  }
  return healthy == 0 || healthy * 100 < config_.panic_below * all;
}

// Said once per node.
bool Pool::is_panic() {
  std::size_t all = 0, healthy = 0;
  bool is_now = has_too_few(false, all, healthy);
  if (is_now && has_backups_) is_now = has_too_few(true, all, healthy);
  const std::uint32_t value = is_now ? 1 : 0;
  if (cell_->is_in_panic.load(std::memory_order_relaxed) != value &&
      cell_->is_in_panic.exchange(value) != value) {
    log_warn("pool {}: {} of {} backends are healthy: {}", config_.name, healthy, all,
             !is_now                      ? "no panic any more"
             : config_.panic == "use-all" ? "panic, all are used"
             : config_.panic == "answer"  ? "panic, requests are answered by the pool's own answer"
                                          : "panic, requests are refused");
  }
  return is_now;
}

// Where nobody asks nothing is counted: places of several workers share a cache line.
const ShedReason* Pool::enter(PriorityClass priority) {
  if (adaptive_ && !adaptive_->enter(priority)) return &kOverAdaptiveLimit;
  if (counts_requests_ && !add_within(cell_->requests, context_.index, config_.limits.max_requests)) {
    if (adaptive_) adaptive_->leave();
    return &kOverLimit;
  }
  if (queue_) queue_->get()->count_held(1);
  return nullptr;
}
void Pool::leave() {
  if (counts_requests_) cell_->requests[context_.index].fetch_sub(1);
  if (queue_) queue_->get()->count_held(-1);
}
void Pool::end_asking() { adaptive_->leave(); }
bool Pool::begin_waiting() {
  const std::uint32_t limit = config_.limits.max_pending;
  return limit == 0 || add_within(cell_->pending, context_.index, limit);
}
void Pool::end_waiting() {
  if (config_.limits.max_pending > 0) cell_->pending[context_.index].fetch_sub(1);
}
void Pool::earn_retries() { add_request(*cell_, config_.retry); }
bool Pool::take_retry() { return gatehouse::l7::take_retry(*cell_, config_.retry, context_.loop.now()); }

}  // namespace gatehouse::l7
