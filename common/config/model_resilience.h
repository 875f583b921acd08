// The part of the config model that is about what a pool does when its backends fail or are full: see
// model.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/units.h"

namespace gatehouse::config {

inline constexpr std::uint32_t kMostAttempts = 9;  // one digit of X-Attempt-Count

// Another try, on another backend: when no connection came about, the backend refused the request or ended
// the connection before a byte of its answer, and as said here. What may have been seen is repeated only if
// idempotent (RFC 9110 §9.2.2).
struct Retry {
  std::uint32_t attempts = 3;         // at most, the first included; 1: none is repeated
  std::vector<std::uint16_t> status;  // answers that are tried again
  Duration try_timeout{
      0};  // for the head of an answer, then another try; 0: response_timeout alone, and no other try
  Duration backoff{25};  // the most that the second try waits; doubled for each further one
  Duration max_backoff{250};
  ByteSize max_body{64 * 1024};     // kept for another try; a longer one has none
  std::uint32_t budget = 10;        // retries per hundred requests, over the node
  std::uint32_t budget_floor = 10;  // and so many per second
  std::uint32_t budget_most = 100;  // saved up at most
};

// Passive: what requests themselves show of a backend.
struct Ejection {
  std::uint32_t failures = 5;        // in a row; 0: never
  bool counts_5xx = true;            // else only what is no answer
  Duration interval{1'000};          // after which backends are compared
  std::uint32_t min_requests = 50;   // of a backend in that time; one with fewer is left out
  std::uint32_t min_backends = 3;    // with so many
  std::uint32_t deviations = 3;      // below the success rate of the others; 0: never
  std::uint32_t latency_factor = 0;  // times the median of the waits; 0: never
  Duration latency_least{100};       // and longer than this
  Duration time{10'000};             // the first; doubled for each further one
  Duration max_time{300'000};
  std::uint32_t max_share = 50;  // percent of the pool's backends that may be out at once
};

// Beyond these the answer is 503 at once. Exact over all workers of a node; 0: no limit.
struct Limits {
  std::uint32_t max_requests = 0;             // of the pool, in flight
  std::uint32_t max_pending = 0;              // of these, without a connection yet
  std::uint32_t max_backend_requests = 0;     // of each backend, in flight
  std::uint32_t max_backend_connections = 0;  // of each backend, open
};

// What a pool answers itself while too few of its backends are healthy.
struct PanicAnswer {
  std::uint16_t status = 503;
  std::string content_type = "text/html; charset=utf-8";
  std::string body;
};

// How many requests a pool may have in flight, found out by how fast it answers: see l7/backend/gradient.h. Names in brackets
// are those of Envoy's adaptive concurrency filter.
struct AdaptiveLimit {
  bool enabled = false;
  std::uint32_t min_requests = 3;        // (min_concurrency)
  std::uint32_t max_requests = 1'000;    // (max_concurrency_limit)
  std::uint32_t initial_requests = 100;  // until it is known better
  Duration interval{100};                // between two steps (concurrency_update_interval)
  std::uint32_t min_samples = 5;         // of a step: with fewer it waits
  std::uint32_t percentile = 50;         // of the waits of a step (sample_aggregate_percentile)
  std::uint32_t buffer = 25;             // percent above the shortest wait that mean nothing (buffer)
  Duration probe_interval{60'000};       // after which the shortest wait is measured anew (min_rtt_calc_params.interval)
};

// In front of a pool whose limits are reached. HAProxy knows these as maxqueue and timeout queue.
struct Queue {
  std::uint32_t limit = 0;  // requests that wait, over all workers of a node; 0: none does
  Duration timeout{1'000};  // then 503
};

}  // namespace gatehouse::config
