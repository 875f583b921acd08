// How long exchanges take, by route and by pool, as the workers count it on the board: sums for programs,
// which merge and subtract them as they like, and quantiles over the last minute for people.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/event_loop.h"
#include "l7/board.h"

namespace gatehouse::l7 {

class Latencies {
 public:
  explicit Latencies(Board& board) : board_(board) {}

  // The routes and pools that are reported from now on. Takes their cells; those beyond the board's room are not timed.
  void set_config(const config::Config& config);
  // Called every second or so.
  void remember(EventLoop::Clock::time_point now);
  // [{kind, name, requests}]: what had a request.
  nlohmann::json counts() const;
  // The same with {responses_4xx, responses_5xx, p50_ms, p95_ms, p99_ms, sum_us, buckets: [[below_us, requests]]}
  // for each. Quantiles are those of the last half to whole minute, 0 when there was none.
  nlohmann::json report() const;

 private:
  struct Row {
    LatencyKind kind;
    std::string name;
    const LatencyCell* cell;
    std::optional<Histogram::Counts> older, newer;  // half a minute apart, and the newer at most that old
  };
  void add_row(LatencyKind kind, const std::string& name, std::vector<Row>& before);

  Board& board_;
  std::vector<Row> rows_;
  EventLoop::Clock::time_point newest_{};
};

}  // namespace gatehouse::l7
