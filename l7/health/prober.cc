#include "l7/health/prober.h"

#include "common/events.h"
#include "common/log.h"
#include "l7/adjusted_weight.h"
#include "l7/backend/ejection.h"

namespace gatehouse::l7 {
namespace {

std::string fingerprint_of(const config::Pool& pool) {
  const config::Health& health = pool.health;
  std::string text = pool.proxy_protocol + "\n" + health.path + "\n" + health.host + "\n" + health.body_contains;
  for (const auto status : health.status) text += "\n" + std::to_string(status);
  for (const Duration time : {health.interval, health.timeout}) text += "\n" + to_string(time);
  return text + "\n" + std::to_string(health.rise) + "\n" + std::to_string(health.fall);
}

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
  std::erase_if(order_, [&](std::uint64_t key) { return checked_.at(key).pool == pool.name; });
  std::map<std::uint64_t, Checked> kept;
  check_pool(pool, files, kept);
  std::erase_if(checked_, [&](const auto& entry) { return entry.second.pool == pool.name; });
  checked_.merge(kept);
  board_.bump_version();
}

// Takes the checks of backends that stay over into `kept`.
void Prober::check_pool(const config::Pool& pool, const TlsFiles& files, std::map<std::uint64_t, Checked>& kept) {
  const auto tls = TlsClientContext::make(pool.name, pool.tls, files, keys_);
  GH_CHECK(tls.has_value());  // the files were checked before
  for (const config::Backend& backend : pool.backends) {
    const std::uint64_t key = backend_key(pool.name, backend.address);
    BackendCell* cell = board_.backend(key);
    const std::string of_state = is_disabled(cell) ? "\ndisabled" : "";
    Checked checked{pool.name, backend.address, fingerprint_of(pool) + tls->identity() + of_state, backend.weight, backend.backup, backend.zone, cell, nullptr};
    const auto known = checked_.find(key);
    const bool goes_on = known != checked_.end() && known->second.fingerprint == checked.fingerprint;
    if (goes_on) checked.check = std::move(known->second.check);
    order_.push_back(key);
    Checked& place = kept[key] = std::move(checked);
    if (!goes_on) start(place, pool, *tls, Duration(starts_++ % 16 * 7));
  }
}

// One that is disabled comes back when a check has succeeded.
void Prober::start(Checked& checked, const config::Pool& pool, const TlsClientContext& tls, Duration offset) {
  if (is_disabled(checked.cell)) {
    checked.cell->is_healthy.store(pool.health.path.empty() ? 1 : 0, std::memory_order_relaxed);
    return;
  }
  if (pool.health.path.empty()) {
    if (checked.cell) checked.cell->is_healthy.store(1, std::memory_order_relaxed);
    return;
  }
  const std::uint64_t key = backend_key(checked.pool, checked.address);
  checked.check = std::make_unique<HealthCheck>(loop_, buffers_, pool.health, checked.address, offset, [this, key] { publish(key); },
                                                parse_proxy_version(pool.proxy_protocol), tls, [this, key] { note_pass(key); });
}

// One that is ejected may be back.
void Prober::note_pass(std::uint64_t key) {
  const Checked& checked = checked_.at(key);
  if (!checked.cell || !readmit_by_check(*checked.cell, loop_.now())) return;
  board_.bump_version();
  log_info("pool {}: backend {} is back: its check succeeded", checked.pool, to_string(checked.address));
  on_change_();
}

void Prober::publish(std::uint64_t key) {
  const Checked& checked = checked_.at(key);
  const bool is_healthy = checked.check->is_healthy();
  if (!checked.cell || checked.cell->is_healthy.exchange(is_healthy ? 1 : 0) == (is_healthy ? 1u : 0u)) return on_change_();
  if (is_healthy) checked.cell->recovered_ms.store(board_time(loop_.now()), std::memory_order_relaxed);
  board_.bump_version();
  report_event("backend", to_string(checked.address) + " of pool " + checked.pool, is_healthy ? "is healthy" : "is unhealthy",
               is_healthy ? "" : checked.check->reason());
  log_info("pool {}: backend {} is {}{}", checked.pool, to_string(checked.address), is_healthy ? "healthy" : "unhealthy: ",
           checked.check->reason());
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
    report.pool = checked.pool;
    report.address = checked.address;
    report.weight = checked.weight;
    report.is_backup = checked.is_backup;
    report.zone = checked.zone;
    if (checked.check) {
      report.is_healthy = checked.check->is_decided() && checked.check->is_healthy();
      report.reason = checked.check->is_decided() ? checked.check->reason() : "not checked yet";
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
