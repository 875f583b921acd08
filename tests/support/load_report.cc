#include "tests/support/load_report.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "common/units.h"

namespace gatehouse::test {
namespace {

using std::chrono::nanoseconds;

void count(std::map<std::string, std::uint64_t, std::less<>>& counts, std::string_view name) {
  const auto found = counts.find(name);
  if (found != counts.end()) {
    ++found->second;
  } else {
    counts.emplace(name, 1);
  }
}

}  // namespace

// A value of w bits, w >= 6, is its shift (w - 6) and its six highest bits, of which the first is always set.
void Latencies::add(nanoseconds value) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(value.count(), kSteps));
  const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 6;
  ++counts_[shift * kSteps + (ns >> shift) - kSteps];
  ++count_;
  max_ = std::max(max_, value);
}

nanoseconds Latencies::percentile(double percent) const {
  if (percent >= 100 || count_ == 0) return max_;
  auto left = static_cast<std::uint64_t>(std::ceil(static_cast<double>(count_) * percent / 100));
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] < left) {
      left -= counts_[i];
      continue;
    }
    const std::uint64_t lowest = (i % kSteps + kSteps) << (i / kSteps);
    return std::min(nanoseconds(lowest), max_);
  }
  return max_;
}

LoadReport::LoadReport()
    : started(Clock::now()), started_unix_ms(static_cast<std::uint64_t>(unix_milliseconds())) {}

LoadReport::Step& LoadReport::step() {
  const auto index = static_cast<std::size_t>((Clock::now() - started) / std::chrono::milliseconds(100));
  if (index >= timeline_.size()) timeline_.resize(index + 1);
  return timeline_[index];
}

void LoadReport::record_ok(unsigned status, std::string_view via, std::string_view backend,
                           nanoseconds latency) {
  ++ok;
  ++step().ok;
  ++by_status[status];
  if (!via.empty()) count(by_via, via);
  if (!backend.empty()) count(by_backend, backend);
  latencies.add(latency);
}

void LoadReport::record_failure(Kind kind, std::uint64_t connection_requests, std::string detail,
                                std::string_view via) {
  ++failed;
  ++step().failed;
  count(by_kind, to_string(kind));
  if (failures.size() >= kListedFailures) return;
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started).count();
  failures.push_back(
      {static_cast<std::uint64_t>(at), kind, connection_requests, std::move(detail), std::string(via)});
}

nlohmann::json LoadReport::to_json() const {
  using Json = nlohmann::json;
  Json listed = Json::array();
  for (const Failure& failure : failures) {
    listed.push_back({{"at_ms", failure.at_ms},
                      {"kind", to_string(failure.kind)},
                      {"connection_requests", failure.connection_requests},
                      {"detail", failure.detail},
                      {"via", failure.via}});
  }
  Json statuses = Json::object();
  for (const auto& [status, requests] : by_status) statuses[std::to_string(status)] = requests;
  Json steps = Json::array();
  for (const Step& step : timeline_) steps.push_back({step.ok, step.failed});
  const auto us = [&](double percent) {
    return static_cast<double>(latencies.percentile(percent).count()) / 1000;
  };
  const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - started).count();
  return {{"started_unix_ms", started_unix_ms},
          {"elapsed_ms", elapsed},
          {"requests", ok + failed},
          {"ok", ok},
          {"failed", failed},
          {"unfinished", unfinished},
          {"failures", listed},
          {"by_kind", by_kind},
          {"by_status", statuses},
          {"by_via", by_via},
          {"by_backend", by_backend},
          {"body_bytes", body_bytes},
          {"connections_opened", connections_opened},
          {"connections_resumed", connections_resumed},
          {"connections_broken", connections_broken},
          {"connections_broken_idle", connections_broken_idle},
          {"connections_open", connections_open},
          {"latency_us", {{"p50", us(50)}, {"p90", us(90)}, {"p99", us(99)}, {"max", us(100)}}},
          {"timeline_step_ms", 100},
          {"timeline_ok_failed", steps}};
}

std::string_view to_string(LoadReport::Kind kind) {
  constexpr std::string_view kNames[] = {"connect",   "tls",    "reset",   "timeout",
                                         "truncated", "status", "mismatch"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace gatehouse::test
