// What a pool allows, and when too few members are there; the choice among them is in choice.cc.
#include "l7/backend/pool.h"

#include <algorithm>
#include <map>

#include "common/log.h"
#include "l7/backend/ejection.h"
#include "l7/backend/retry_budget.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

Pool::Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker,
           const TlsClientContext& tls)
    : config_(config),
      context_(backends.context()),
      tls_(tls),
      speaks_h2_(config.protocol == "h2"),
      counts_requests_(config.limits.max_requests > 0 || (config.hash && config.hash->max_load > 0)),
      proxy_version_(parse_proxy_version(config.proxy_protocol)),
      cell_(context_.board.pool(pool_key(config.name))),
      latency_(context_.board.latency(LatencyKind::kPool, config.name)) {
  if (!cell_) cell_ = (own_cell_ = std::make_unique<PoolCell>()).get();
  if (config.affinity) affinity_.emplace(*config.affinity, "affinity");
  if (config.policy == "maglev") hash_.emplace(HashPolicy::Kind::kMaglev);
  if (config.policy == "ring-hash") hash_.emplace(HashPolicy::Kind::kRing);
  set_members(config.backends);
  if (!members_.empty()) members_[worker % members_.size()].credit = 1;
}

void Pool::set_members(std::span<const config::Backend> backends) {
  std::map<Endpoint, Member*> left;
  for (Member& member : members_) left.emplace(member.backend->address(), &member);
  std::vector<Member> members;
  members.reserve(backends.size());
  has_backups_ = false;
  for (const config::Backend& backend : backends) {
    has_backups_ |= backend.backup;
    const auto known = left.find(backend.address);
    if (known == left.end()) {
      Backend& added = context_.backends.find_or_add(config_.name, backend.address, tls_);
      members.push_back({BackendPin(added), backend.weight, backend.weight, backend.backup});
      continue;
    }
    Member& member = members.emplace_back(std::move(*known->second));
    member.weight = member.base = backend.weight;
    member.is_backup = backend.backup;
    left.erase(known);
  }
  for (const auto& [address, member] : left) member->backend->set_member(false);
  members_ = std::move(members);
  version_ = context_.board.version();
  refresh();
}

std::uint64_t Pool::key_of(const Backend& backend) const {
  return backend_key(config_.name, backend.address());
}

Backend* Pool::find(std::uint64_t key) const {
  for (const Member& member : members_) {
    if (key_of(*member.backend) == key) return &*member.backend;
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
                                          : "panic, requests are refused");
  }
  return is_now;
}

void Pool::note_success(Backend& backend) {
  if (BackendCell* cell = backend.cell()) count_success(*cell);
}

void Pool::note_failure(Backend& backend, bool counts_for_ejection) {
  backend.count_failure();
  BackendCell* cell = backend.cell();
  if (!counts_for_ejection || !cell || !count_failure_in_a_row(*cell, config_.ejection)) return;
  const auto time = eject(*cell, config_.ejection, context_.loop.now());
  if (!time) return;
  // Looked at afterwards: two workers that eject at once see each other.
  if (has_too_many_ejected()) return take_back(*cell);
  log_warn("pool {}: backend {} is ejected for {} after failures in a row", config_.name,
           to_string(backend.address()), to_string(*time));
}

bool Pool::has_too_many_ejected() const {
  const auto out = std::count_if(members_.begin(), members_.end(),
                                 [](const Member& each) { return each.backend->is_ejected(); });
  return static_cast<std::size_t>(out) * 100 > config_.ejection.max_share * members_.size();
}

// Where nobody asks nothing is counted: places of several workers share a cache line.
bool Pool::enter() {
  if (counts_requests_ && !add_within(cell_->requests, context_.index, config_.limits.max_requests))
    return false;
  add_request(*cell_, config_.retry);
  return true;
}
void Pool::leave() {
  if (counts_requests_) cell_->requests[context_.index].fetch_sub(1);
}
bool Pool::begin_waiting() {
  const std::uint32_t limit = config_.limits.max_pending;
  return limit == 0 || add_within(cell_->pending, context_.index, limit);
}
void Pool::end_waiting() {
  if (config_.limits.max_pending > 0) cell_->pending[context_.index].fetch_sub(1);
}
bool Pool::take_retry() { return gatehouse::l7::take_retry(*cell_, config_.retry, context_.loop.now()); }

}  // namespace gatehouse::l7
