// The board: one shared-memory file through which the supervisor and the workers of a node agree. It lives in the
// node's state folder (tmpfs), so that a restarted supervisor finds the workers and counters it left behind; the
// workers inherit it open and never need its path. Every cell is an atomic; there are no locks and no pointers.
//
// Who writes what: a worker its own WorkerCell and its own place of in_flight; any worker the sums of a BackendCell;
// the supervisor everything else. When a worker dies the supervisor zeroes its places (Board::clear_worker).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/histogram.h"
#include "common/result.h"
#include "l7/backend/connection_end.h"
#include "l7/http/h2_guard.h"
#include "l7/tls/handshake_counters.h"
#include "l7/worker_places.h"

namespace gatehouse::l7 {

inline constexpr std::uint32_t kMaxBackends = 4096;
inline constexpr std::uint32_t kMaxPools = 1024;
inline constexpr std::uint32_t kMaxLatencies = 2048;  // routes and pools by name; further ones are not timed
inline constexpr std::uint32_t kMaxArms = 4096;

struct alignas(64) WorkerCell {
  std::atomic<std::int32_t> pid;         // 0: no worker here
  std::atomic<std::uint64_t> restarts;
  std::atomic<std::uint64_t> config_digest;  // what it serves
  std::atomic<std::uint64_t> connections;    // open now
  std::atomic<std::uint64_t> accepted;
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> responses_5xx;
  std::array<std::atomic<std::uint64_t>, kH2Offences> h2_offences;  // connections ended, by H2Offence
  std::array<std::atomic<std::uint64_t>, kConnectionEnds> connection_ends;  // of those to backends, by ConnectionEnd
  HandshakeCounters handshakes;
  std::atomic<std::uint64_t> relays;             // connections passed through without HTTP
  std::atomic<std::uint64_t> failed_relays;      // that reached no backend
  std::atomic<std::uint64_t> refused_clients;    // that had their share of connections
  std::atomic<std::uint64_t> refused_headers;    // PROXY headers: not trusted, malformed or late
  std::atomic<std::uint64_t> refused_hellos;     // ClientHellos: malformed, late, or of a name that no route has
  std::atomic<std::uint64_t> refused_paths;      // see path_rules.h
  std::atomic<std::uint64_t> accept_pauses;
  std::atomic<std::uint64_t> paused_listeners;   // now
  std::atomic<std::uint64_t> retries;
  std::atomic<std::uint64_t> retries_over_budget;  // that were not made
  std::atomic<std::uint64_t> bodies_not_kept;      // too long for another try
  std::atomic<std::uint64_t> requests_over_limit;  // answered 503
  std::atomic<std::uint64_t> requests_over_adaptive_limit;  // the same
  std::atomic<std::uint64_t> requests_shed_for_cpu;         // the same
  std::atomic<std::uint64_t> queued_requests;      // that had to wait for a place in their pool
  std::atomic<std::uint64_t> queue_overflows;      // answered 503: too many waited
  std::atomic<std::uint64_t> queue_timeouts;       // the same: they had waited too long
  std::atomic<std::uint64_t> forged_cookies;       // of our own names, not by us
  std::atomic<std::uint64_t> old_cookies;          // beyond their time
  std::atomic<std::uint64_t> affinity_moves;       // of clients, from a backend that is drained or down
  std::atomic<std::uint64_t> zone_crossings;       // requests to another zone, of pools that have backends in ours
  std::atomic<std::uint64_t> mirrored;             // copies of requests that were answered
  std::atomic<std::uint64_t> failed_mirrors;       // that were not
  std::atomic<std::uint64_t> dropped_mirrors;      // too long, or too many on their way
  std::atomic<std::uint64_t> request_timeouts;     // that request_timeout ended
  std::atomic<std::uint64_t> backend_connections;  // that were begun
  std::atomic<std::uint64_t> failed_warm_connections;  // of these: made before a request asked, and lost before it
  std::atomic<std::uint64_t> slow_connects;        // whose requests went to another backend meanwhile
  std::atomic<std::uint64_t> hedges;               // second copies of requests
  std::atomic<std::uint64_t> won_hedges;           // that were answered first
  std::atomic<std::uint64_t> ended_with_backend;   // WebSockets, gRPC calls, relays
};

// The counts that have a name in status and metrics; all others are named where they are reported.
struct WorkerCount {
  const char* name;
  std::atomic<std::uint64_t> WorkerCell::*place;
};
inline constexpr WorkerCount kWorkerCounts[] = {
    {"relays", &WorkerCell::relays},
    {"failed_relays", &WorkerCell::failed_relays},
    {"refused_clients", &WorkerCell::refused_clients},
    {"refused_headers", &WorkerCell::refused_headers},
    {"refused_hellos", &WorkerCell::refused_hellos},
    {"refused_paths", &WorkerCell::refused_paths},
    {"accept_pauses", &WorkerCell::accept_pauses},
    {"paused_listeners", &WorkerCell::paused_listeners},
    {"retries", &WorkerCell::retries},
    {"retries_over_budget", &WorkerCell::retries_over_budget},
    {"bodies_not_kept", &WorkerCell::bodies_not_kept},
    {"requests_over_limit", &WorkerCell::requests_over_limit},
    {"requests_over_adaptive_limit", &WorkerCell::requests_over_adaptive_limit},
    {"requests_shed_for_cpu", &WorkerCell::requests_shed_for_cpu},
    {"queued_requests", &WorkerCell::queued_requests},
    {"queue_overflows", &WorkerCell::queue_overflows},
    {"queue_timeouts", &WorkerCell::queue_timeouts},
    {"forged_cookies", &WorkerCell::forged_cookies},
    {"old_cookies", &WorkerCell::old_cookies},
    {"affinity_moves", &WorkerCell::affinity_moves},
    {"zone_crossings", &WorkerCell::zone_crossings},
    {"mirrored", &WorkerCell::mirrored},
    {"failed_mirrors", &WorkerCell::failed_mirrors},
    {"dropped_mirrors", &WorkerCell::dropped_mirrors},
    {"request_timeouts", &WorkerCell::request_timeouts},
    {"backend_connections", &WorkerCell::backend_connections},
    {"failed_warm_connections", &WorkerCell::failed_warm_connections},
    {"slow_connects", &WorkerCell::slow_connects},
    {"hedges", &WorkerCell::hedges},
    {"won_hedges", &WorkerCell::won_hedges},
    {"ended_with_backend", &WorkerCell::ended_with_backend},
};

// What an operator wants of a backend.
enum class BackendState : std::uint32_t {
  kEnabled,
  kDraining,  // no new requests
  kDisabled,  // the same, and it is not checked
};

inline const char* name_of(BackendState state) {
  return state == BackendState::kDraining ? "draining" : state == BackendState::kDisabled ? "disabled" : "enabled";
}

// What its requests made of a backend: see backend/ejection.h.
enum class Standing : std::uint32_t {
  kIn,
  kOut,    // ejected
  kTrial,  // and one request may bring it back
};
enum class EjectionReason : std::uint32_t { kFailures, kSuccessRate, kLatency };
inline constexpr std::size_t kEjectionReasons = 3;
inline const char* name_of(EjectionReason reason) {
  constexpr const char* kNames[kEjectionReasons] = {"failures", "success rate", "latency"};
  return kNames[static_cast<std::size_t>(reason)];
}

// The requests of a backend since it was last judged: see backend/outliers.h.
struct RequestWindow {
  static constexpr unsigned kWaitBits = 40;
  std::atomic<std::uint64_t> answers;  // and the failures of these, in the upper half
  std::atomic<std::uint64_t> waits;    // microseconds to their heads; how many were timed, above kWaitBits

  void add(bool is_failure) {
    answers.fetch_add(is_failure ? std::uint64_t{1} << 32 | 1 : 1, std::memory_order_relaxed);
  }
  void add_wait(std::uint64_t us) {
    waits.fetch_add(std::uint64_t{1} << kWaitBits | us, std::memory_order_relaxed);
  }
};

struct alignas(64) BackendCell {
  std::atomic<std::uint64_t> key;        // backend_key(); 0: free
  std::atomic<std::uint32_t> is_healthy;
  std::atomic<std::uint32_t> is_degraded;  // by what it says itself
  std::atomic<BackendState> state;       // set at run time
  std::atomic<std::uint64_t> adjusted;   // the weight that was set at run time: see adjusted_weight.h
  std::atomic<std::int64_t> recovered_ms;  // board_time() at which it got healthy or enabled; 0: it has always been
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> failures;   // connect, response or 5xx of the backend
  std::atomic<std::uint32_t> failures_in_a_row;   // see backend/ejection.h
  std::atomic<std::uint32_t> ejections_in_a_row;
  std::atomic<Standing> standing;
  std::atomic<EjectionReason> ejected_for;        // the last time
  std::atomic<std::int64_t> ejected_until_ms;     // board_time(); 0: never was
  RequestWindow window;
  std::array<std::atomic<std::uint64_t>, kEjectionReasons> ejections;
  std::atomic<std::uint64_t> peak_ewma;           // see backend/peak_ewma.h
  WorkerPlaces in_flight;
  WorkerPlaces connections;
};

// See backend/adaptive_limit.h.
struct AdaptiveCell {
  std::atomic<std::uint32_t> limit;         // 0: there has been no step yet
  std::atomic<std::uint32_t> limit_before;  // a probe; 0: there is none
  std::atomic<std::uint32_t> shortest_us;
  std::atomic<std::uint32_t> wait_us;       // of the last step
  std::atomic<std::uint32_t> in_flight;
  std::atomic<std::int64_t> seen_ms;
  std::atomic<std::int64_t> stepped_ms;
  RequestWindow window;
  std::array<std::atomic<std::uint32_t>, Histogram::kBuckets> waits;  // of the window, by microseconds
  WorkerPlaces asking;                      // requests without the head of an answer
};

// What the workers know together of a pool.
struct alignas(64) PoolCell {
  std::atomic<std::uint64_t> key;        // pool_key(); 0: free
  std::atomic<std::int64_t> credit;      // see backend/retry_budget.h
  std::atomic<std::int64_t> refilled_ms;
  std::atomic<std::uint32_t> is_in_panic;
  std::atomic<std::int64_t> judged_ms;   // board_time() at which its backends were compared last
  WorkerPlaces requests;                 // in flight
  WorkerPlaces pending;                  // of these, without a connection yet
  WorkerPlaces queued;                   // waiting to be among them
  WorkerPlaces foremost;                 // who waits longest: see backend/pool_queue.h
  AdaptiveCell adaptive;
};

// A pool of a route that has several: see arms.h.
struct alignas(64) ArmCell {
  std::atomic<std::uint64_t> key;        // arm_key(); 0: free
  std::atomic<std::uint64_t> adjusted;   // the weight that was set at run time; 0: none was
  std::atomic<std::uint64_t> requests;
};

// How long the exchanges of a route, or of a pool, took: from the first byte of the request to the last of the response.
enum class LatencyKind : std::uint8_t { kRoute, kPool };
struct alignas(64) LatencyCell {
  std::array<std::atomic<std::uint64_t>, Histogram::kBuckets> counts;  // by microseconds
  std::atomic<std::uint64_t> sum_us;
  std::atomic<std::uint64_t> responses_4xx;
  std::atomic<std::uint64_t> responses_5xx;

  void add(std::uint64_t microseconds, unsigned status) {
    counts[Histogram::bucket_of(microseconds)].fetch_add(1, std::memory_order_relaxed);
    sum_us.fetch_add(microseconds, std::memory_order_relaxed);
    if (status >= 500) {
      responses_5xx.fetch_add(1, std::memory_order_relaxed);
    } else if (status >= 400) {
      responses_4xx.fetch_add(1, std::memory_order_relaxed);
    }
  }
};

// Milliseconds of a clock that all processes of the node share.
inline std::int64_t board_time(EventLoop::Clock::time_point now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
}

// Identifies a backend of a pool across reloads: what stays in the config keeps its cell. Never 0.
std::uint64_t backend_key(std::string_view pool, const Endpoint& backend);
std::uint64_t pool_key(std::string_view pool);
std::uint64_t latency_key(LatencyKind kind, std::string_view name);

class Board {
 public:
  // Opens or creates; a file of another layout is replaced.
  static Result<std::unique_ptr<Board>> open(const std::string& file);
  // A board of this process alone: for tests.
  static std::unique_ptr<Board> anonymous();
  ~Board();

  WorkerCell& worker(std::uint32_t index);
  // The cell of `key`; taken into use (healthy until told otherwise) when it is new; nullptr when the board is full.
  BackendCell* backend(std::uint64_t key);
  PoolCell* pool(std::uint64_t key);  // the same for pools
  ArmCell* arm(std::uint64_t key);    // the same for pools of a route
  std::span<ArmCell> arms();
  LatencyCell* latency(LatencyKind kind, std::string_view name);
  std::span<BackendCell> backends();
  // Grows with every change that was made at run time: what follows from cells is to be looked at again.
  std::uint64_t version() const;
  void bump_version();
  // One more than the highest worker that has ever taken its place: those beyond hold nothing.
  std::uint32_t workers_seen() const;
  void take_place(std::uint32_t index);
  void clear_worker(std::uint32_t index);
  // Each takes the cells of `keys`, all that the config names. Cells of what left the config stay while there is room, for
  // workers of an earlier snapshot may still use them; else they are cleared and free, but for
  // those of backends that have requests or connections. Supervisor only.
  void make_room_for_backends(const std::vector<std::uint64_t>& keys);
  void make_room_for_pools(const std::vector<std::uint64_t>& keys);
  void make_room_for_arms(const std::vector<std::uint64_t>& keys);
  void make_room_for_latencies(const std::vector<std::uint64_t>& keys);

 private:
  struct Layout;
  explicit Board(Layout* layout) : layout_(layout) {}
  Layout* layout_;
};

}  // namespace gatehouse::l7
