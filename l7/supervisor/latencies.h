// How long exchanges take, by route and by pool, as the workers count it on the board: sums for programs,
// which merge and subtract them as they like, and quantiles over the last minute for people.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/model.h"
#include "common/event_loop.h"
#include "l7/board.h"

namespace gatehouse::l7 {

class Latencies {
 public:
  explicit Latencies(Board& board) : board_(board) {}

  // Cells of routes and pools that left the config stay while there is room: workers may not have heard of
  // it.
  void make_room(const config::Config& config);
  // Called every second or so.
  void remember(const config::Config& config, EventLoop::Clock::time_point now);
  // [{kind, name, requests, responses_4xx, responses_5xx, p50_ms, p95_ms, p99_ms, sum_us, buckets:
  // [[below_us, requests]]}]: what had a request. Quantiles are those of the last half to whole minute, 0
  // when there was none.
  nlohmann::json report(const config::Config& config) const;

 private:
  using Key = std::pair<LatencyKind, std::string>;
  using Moment = std::map<Key, Histogram::Counts>;
  Board& board_;
  Moment older_, newer_;
  EventLoop::Clock::time_point newest_{};
};

}  // namespace gatehouse::l7
