#include "l7/supervisor/latencies.h"

#include <algorithm>
#include <utility>

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

constexpr Duration kSpan{30'000};
// Powers of two of microseconds, from a quarter of a millisecond to a minute, at which buckets of the report
// end.
constexpr unsigned kFirstPower = 8, kLastPower = 26;

Histogram::Counts counts_of(const LatencyCell& cell) {
  Histogram::Counts counts;
  for (std::size_t i = 0; i < counts.size(); ++i) counts[i] = cell.counts[i].load(std::memory_order_relaxed);
  return counts;
}

std::uint64_t requests_of(const Histogram::Counts& counts) {
  return Histogram::below(counts, Histogram::least_of(Histogram::kBuckets - 1)) + counts.back();
}

double milliseconds(const Histogram::Counts& counts, double rank) {
  return Histogram::quantile(counts, rank) / 1'000;
}

const char* name_of(LatencyKind kind) { return kind == LatencyKind::kRoute ? "route" : "pool"; }

Json buckets_of(const Histogram::Counts& counts) {
  Json buckets = Json::array();
  for (unsigned power = kFirstPower; power <= kLastPower; ++power) {
    const std::uint64_t limit = std::uint64_t{1} << power;
    buckets.push_back({limit, Histogram::below(counts, limit)});
  }
  return buckets;
}

}  // namespace

void Latencies::set_config(const config::Config& config) {
  std::vector<std::uint64_t> keys;
  for (const config::Route& route : config.routes) keys.push_back(latency_key(LatencyKind::kRoute, route.name));
  for (const config::Pool& pool : config.pools) keys.push_back(latency_key(LatencyKind::kPool, pool.name));
  board_.make_room_for_latencies(keys);
  std::vector<Row> before = std::exchange(rows_, {});
  for (const config::Route& route : config.routes) add_row(LatencyKind::kRoute, route.name, before);
  for (const config::Pool& pool : config.pools) add_row(LatencyKind::kPool, pool.name, before);
}

// Routes may share a name, and then have one row. What is known of `before` goes on.
void Latencies::add_row(LatencyKind kind, const std::string& name, std::vector<Row>& before) {
  const LatencyCell* cell = board_.latency(kind, name);
  const auto is_same = [cell](const Row& row) { return row.cell == cell; };
  if (!cell || std::any_of(rows_.begin(), rows_.end(), is_same)) return;
  const auto known = std::find_if(before.begin(), before.end(), [&](const Row& row) { return row.kind == kind && row.name == name; });
  if (known != before.end() && known->cell == cell) {
    rows_.push_back(std::move(*known));
  } else {
    rows_.push_back({kind, name, cell, {}, {}});
  }
}

void Latencies::remember(EventLoop::Clock::time_point now) {
  if (newest_ != EventLoop::Clock::time_point() && now - newest_ < kSpan) return;
  newest_ = now;
  for (Row& row : rows_) row.older = std::exchange(row.newer, counts_of(*row.cell));
}

Json Latencies::counts() const {
  Json rows = Json::array();
  for (const Row& row : rows_) {
    if (const std::uint64_t requests = requests_of(counts_of(*row.cell)))
      rows.push_back({{"kind", name_of(row.kind)}, {"name", row.name}, {"requests", requests}});
  }
  return rows;
}

Json Latencies::report() const {
  Json rows = Json::array();
  for (const Row& row : rows_) {
    const Histogram::Counts all = counts_of(*row.cell);
    const std::uint64_t requests = requests_of(all);
    if (requests == 0) continue;
    Histogram::Counts lately = all;
    if (const auto& before = row.older ? row.older : row.newer) {
      for (std::size_t i = 0; i < lately.size(); ++i) lately[i] -= std::min(lately[i], (*before)[i]);
    }
    rows.push_back({{"kind", name_of(row.kind)},
                    {"name", row.name},
                    {"requests", requests},
                    {"responses_4xx", row.cell->responses_4xx.load(std::memory_order_relaxed)},
                    {"responses_5xx", row.cell->responses_5xx.load(std::memory_order_relaxed)},
                    {"p50_ms", milliseconds(lately, 0.5)},
                    {"p95_ms", milliseconds(lately, 0.95)},
                    {"p99_ms", milliseconds(lately, 0.99)},
                    {"sum_us", row.cell->sum_us.load(std::memory_order_relaxed)},
                    {"buckets", buckets_of(all)}});
  }
  return rows;
}

}  // namespace gatehouse::l7
