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
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/fd.h"
#include "common/result.h"
#include "l7/http/h2_guard.h"
#include "l7/tls/handshake_counters.h"

namespace gatehouse::l7 {

inline constexpr std::uint32_t kMaxWorkers = 64;
inline constexpr std::uint32_t kMaxBackends = 4096;

struct alignas(64) WorkerCell {
  std::atomic<std::int32_t> pid;         // 0: no worker here
  std::atomic<std::uint64_t> restarts;
  std::atomic<std::uint64_t> config_digest;  // what it serves
  std::atomic<std::uint64_t> connections;    // open now
  std::atomic<std::uint64_t> accepted;
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> responses_5xx;
  std::array<std::atomic<std::uint64_t>, kH2Offences> h2_offences;  // connections ended, by H2Offence
  HandshakeCounters handshakes;
  std::atomic<std::uint64_t> relays;             // connections passed through without HTTP
  std::atomic<std::uint64_t> failed_relays;      // that reached no backend
  std::atomic<std::uint64_t> refused_clients;    // that had their share of connections
  std::atomic<std::uint64_t> refused_headers;    // PROXY headers: not trusted, malformed or late
  std::atomic<std::uint64_t> refused_hellos;     // ClientHellos: malformed, late, or of a name that no route has
  std::atomic<std::uint64_t> accept_pauses;
  std::atomic<std::uint64_t> paused_listeners;   // now
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
    {"accept_pauses", &WorkerCell::accept_pauses},
    {"paused_listeners", &WorkerCell::paused_listeners},
};

struct alignas(64) BackendCell {
  std::atomic<std::uint64_t> key;        // backend_key(); 0: free
  std::atomic<std::uint32_t> is_healthy;
  std::atomic<std::uint64_t> requests;
  std::atomic<std::uint64_t> failures;   // connect, response or 5xx of the backend
  std::array<std::atomic<std::uint32_t>, kMaxWorkers> in_flight;
};

// Identifies a backend of a pool across reloads: what stays in the config keeps its cell. Never 0.
std::uint64_t backend_key(std::string_view pool, const Endpoint& backend);

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
  void clear_worker(std::uint32_t index);
  // Frees the cells whose key is not in `keys`. Supervisor only, once no worker uses them.
  void keep_only(const std::vector<std::uint64_t>& keys);

 private:
  struct Layout;
  explicit Board(Layout* layout) : layout_(layout) {}
  Layout* layout_;
};

}  // namespace gatehouse::l7
