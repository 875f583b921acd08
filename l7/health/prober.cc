#include "l7/health/prober.h"

#include "common/events.h"
#include "common/log.h"
#include "l7/adjusted_weight.h"
#include "l7/backend/ejection.h"

namespace gatehouse::l7 {
namespace {

bool is_disabled(const BackendCell* cell) {
  return cell && cell->state.load(std::memory_order_relaxed) == BackendState::kDisabled;
}

}  // namespace

Prober::Prober(EventLoop& loop, Board& board, std::function<void()> on_change)
    : loop_(loop), board_(board), on_change_(std::move(on_change)) {}

void Prober::make_room(const config::Config& config) {
  std::vector<std::uint64_t> pools, backends;
  for (const config::Pool& pool : config.pools) {
    pools.push_back(pool_key(pool.name));
    for (const config::Backend& backend : pool.backends) backends.push_back(backend_key(pool.name, backend.address));
  }
  board_.make_room_for_pools(pools);
  board_.make_room_for_backends(backends);
}

void Prober::set_config(const config::Config& config, const TlsFiles& files) {
  make_room(config);
  std::map<std::uint64_t, Checked> kept;
  order_.clear();
  for (const config::Pool& pool : config.pools) check_pool(pool, files, kept);
  checked_ = std::move(kept);
  board_.bump_version();
}

void Prober::set_backends(const config::Config& config, const config::Pool& pool, const TlsFiles& files) {
  make_room(config);
  std::erase_if(order_, [&](std::uint64_t key) { return checked_.at(key).plan->pool == pool.name; });
  std::map<std::uint64_t, Checked> kept;
  check_pool(pool, files, kept);
  std::erase_if(checked_, [&](const auto& entry) { return entry.second.plan->pool == pool.name; });
  checked_.merge(kept);
  board_.bump_version();
}

// Takes the checks of backends that stay over into `kept`.
void Prober::check_pool(const config::Pool& pool, const TlsFiles& files, std::map<std::uint64_t, Checked>& kept) {
  const auto plan = HealthPlan::make(pool, files, keys_);
  GH_CHECK(plan.has_value());  // the files were checked before
  for (const config::Backend& backend : pool.backends) {
    const std::uint64_t key = backend_key(pool.name, backend.address);
    BackendCell* cell = board_.backend(key);
    Checked checked{*plan, backend.address, is_disabled(cell), backend.weight, backend.backup, backend.zone, cell, nullptr};
    const auto known = checked_.find(key);
    const bool goes_on = known != checked_.end() && known->second.is_of_one_kind_with(checked);
    if (goes_on) checked.check = std::move(known->second.check);
    order_.push_back(key);
    Checked& place = kept[key] = std::move(checked);
    if (!goes_on) start(place, Duration(starts_++ % 16 * 7));
  }
}

// One that is disabled comes back when a check has succeeded.
void Prober::start(Checked& checked, Duration offset) {
  const bool is_on = checked.plan->health.is_on();
  if (checked.is_disabled) {
    checked.cell->is_healthy.store(is_on ? 0 : 1, std::memory_order_relaxed);
    return;
  }
  if (checked.cell) checked.cell->is_degraded.store(0, std::memory_order_relaxed);
  if (!is_on) {
    if (checked.cell) checked.cell->is_healthy.store(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t key = backend_key(checked.plan->pool, checked.address);
  checked.check = std::make_unique<HealthCheck>(loop_, buffers_, checked.plan, checked.address, offset,
                                                HealthCheck::Told{[this, key] { publish(key); }, [this, key] { note_pass(key); }});
}

// One that is ejected may be back.
void Prober::note_pass(std::uint64_t key) {
  const Checked& checked = checked_.at(key);
  if (!checked.cell || !readmit_by_check(*checked.cell, loop_.now())) return;
  board_.bump_version();
  log_info("pool {}: backend {} is back: its check succeeded", checked.plan->pool, to_string(checked.address));
  on_change_();
}

void Prober::publish(std::uint64_t key) {
  const Checked& checked = checked_.at(key);
  const std::uint32_t is_healthy = checked.check->is_healthy(), is_degraded = checked.check->is_degraded();
  if (!checked.cell) return on_change_();
  const bool is_turn = checked.cell->is_healthy.exchange(is_healthy) != is_healthy;
  const bool is_other = checked.cell->is_degraded.exchange(is_degraded) != is_degraded;
  if (!is_turn && !is_other) return on_change_();
  if (is_healthy && is_turn) checked.cell->recovered_ms.store(board_time(loop_.now()), std::memory_order_relaxed);
  board_.bump_version();
  const std::string verdict = !is_healthy ? "unhealthy" : is_degraded ? "degraded" : "healthy", reason = checked.check->reason();
  report_event("backend", to_string(checked.address) + " of pool " + checked.plan->pool, "is " + verdict, reason);
  log_info("pool {}: backend {} is {}{}", checked.plan->pool, to_string(checked.address), verdict, reason.empty() ? "" : ": " + reason);
  on_change_();
}

std::string Prober::reason_of_ejection(const BackendCell& cell, bool is_checked) const {
  const std::string what = std::string("ejected for ") + name_of(cell.ejected_for.load());
  const std::int64_t left = cell.ejected_until_ms.load() - board_time(loop_.now());
  if (is_on_trial(cell)) return what + ": a request tries it";
  if (left > 0) return what + ", for another " + to_string(Duration(left));
  return what + (is_checked ? ": waits for a check" : ": the next request will try it");
}

std::vector<control::BackendReport> Prober::report() const {
  std::vector<control::BackendReport> reports;
  for (const std::uint64_t key : order_) {
    const Checked& checked = checked_.at(key);
    control::BackendReport report;
    report.pool = checked.plan->pool;
    report.address = checked.address;
    report.weight = checked.weight;
    report.is_backup = checked.is_backup;
    report.zone = checked.zone;
    if (checked.check) {
      report.is_healthy = checked.check->is_decided() && checked.check->is_healthy();
      report.reason = !checked.check->is_decided() ? "not checked yet" : (checked.check->is_degraded() ? "degraded: " : "") + checked.check->reason();
    }
    if (is_disabled(checked.cell)) {
      report.is_healthy = false;
      report.reason = "disabled";
    }
    if (checked.cell) {
      report.state = name_of(checked.cell->state.load(std::memory_order_relaxed));
      report.weight = weight_now(checked.cell->adjusted.load(std::memory_order_relaxed), checked.weight);
      report.requests = checked.cell->requests.load(std::memory_order_relaxed);
      report.failures = checked.cell->failures.load(std::memory_order_relaxed);
      report.in_flight = sum_of(checked.cell->in_flight);
      report.ejections = ejections_of(*checked.cell);
      for (std::size_t i = 0; i < kEjectionReasons; ++i)
        report.ejected_for[name_of(static_cast<EjectionReason>(i))] = checked.cell->ejections[i].load(std::memory_order_relaxed);
      report.is_ejected = is_ejected(*checked.cell);
      if (report.is_ejected && report.is_healthy) report.reason = reason_of_ejection(*checked.cell, checked.check != nullptr);
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace gatehouse::l7
