#include "l7/supervisor/latencies.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

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

// Calls visit(kind, name, cell) for each name of the config that has a cell, once.
template <typename Visit>
void for_each_cell(Board& board, const config::Config& config, Visit visit) {
  std::set<std::string_view> routes;
  for (const config::Route& route : config.routes) {
    if (!routes.insert(route.name).second) continue;
    if (const LatencyCell* cell = board.latency(LatencyKind::kRoute, route.name))
      visit(LatencyKind::kRoute, route.name, *cell);
  }
  for (const config::Pool& pool : config.pools) {
    if (const LatencyCell* cell = board.latency(LatencyKind::kPool, pool.name))
      visit(LatencyKind::kPool, pool.name, *cell);
  }
}

double milliseconds(const Histogram::Counts& counts, double rank) {
  return Histogram::quantile(counts, rank) / 1'000;
}

}  // namespace

void Latencies::make_room(const config::Config& config) {
  std::vector<std::uint64_t> wanted;
  bool has_room = true;
  const auto want = [&](LatencyKind kind, const std::string& name) {
    wanted.push_back(latency_key(kind, name));
    has_room &= board_.latency(kind, name) != nullptr;
  };
  for (const config::Route& route : config.routes) want(LatencyKind::kRoute, route.name);
  for (const config::Pool& pool : config.pools) want(LatencyKind::kPool, pool.name);
  if (!has_room) board_.keep_only_latencies(wanted);
}

void Latencies::remember(const config::Config& config, EventLoop::Clock::time_point now) {
  if (newest_ != EventLoop::Clock::time_point() && now - newest_ < kSpan) return;
  newest_ = now;
  older_ = std::exchange(newer_, {});
  for_each_cell(board_, config, [this](LatencyKind kind, const std::string& name, const LatencyCell& cell) {
    newer_[{kind, name}] = counts_of(cell);
  });
}

Json Latencies::report(const config::Config& config) const {
  Json rows = Json::array();
  for_each_cell(board_, config, [&](LatencyKind kind, const std::string& name, const LatencyCell& cell) {
    const Histogram::Counts all = counts_of(cell);
    const std::uint64_t requests =
        Histogram::below(all, Histogram::least_of(Histogram::kBuckets - 1)) + all.back();
    if (requests == 0) return;
    Histogram::Counts lately = all;
    const Moment& moment = older_.empty() ? newer_ : older_;
    if (const auto before = moment.find({kind, name}); before != moment.end()) {
      for (std::size_t i = 0; i < lately.size(); ++i) lately[i] -= std::min(lately[i], before->second[i]);
    }
    Json buckets = Json::array();
    for (unsigned power = kFirstPower; power <= kLastPower; ++power) {
      const std::uint64_t limit = std::uint64_t{1} << power;
      buckets.push_back({limit, Histogram::below(all, limit)});
    }
    rows.push_back({{"kind", kind == LatencyKind::kRoute ? "route" : "pool"},
                    {"name", name},
                    {"requests", requests},
                    {"responses_4xx", cell.responses_4xx.load(std::memory_order_relaxed)},
                    {"responses_5xx", cell.responses_5xx.load(std::memory_order_relaxed)},
                    {"p50_ms", milliseconds(lately, 0.5)},
                    {"p95_ms", milliseconds(lately, 0.95)},
                    {"p99_ms", milliseconds(lately, 0.99)},
                    {"sum_us", cell.sum_us.load(std::memory_order_relaxed)},
                    {"buckets", std::move(buckets)}});
  });
  return rows;
}

}  // namespace gatehouse::l7
