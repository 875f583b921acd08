// A backend as one worker sees it: its idle connections, and its cell on the board, where all workers of the node agree on
// health and counts. BackendSet keeps them across reloads: a backend that stays in the config keeps its connections.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/address.h"
#include "common/check.h"
#include "common/event_loop.h"
#include "common/config/model_http.h"
#include "l7/backend/backend_side.h"
#include "l7/backend/connection_end.h"
#include "l7/backend/dial.h"
#include "l7/backend/idle_habit.h"
#include "l7/backend/long_stays.h"
#include "l7/board.h"
#include "l7/tls/client_context.h"

namespace gatehouse::l7 {

class BackendConnection;
class BackendUser;
class H1Connection;
class H2Connection;
struct WorkerContext;

// Of errno: this process has no descriptor, port or memory left, and no other backend would be nearer.
bool is_shortage(int code);

class Backend {
 public:
  Backend(WorkerContext& context, const Endpoint& address, BackendCell* cell);
  ~Backend();

  const Endpoint& address() const { return address_; }
  // What new connections speak; those of another identity are not used again.
  void set_tls(const TlsClientContext& tls);
  void set_sources(const SourceAddresses& sources);
  bool is_degraded() const { return cell_ && cell_->is_degraded.load(std::memory_order_relaxed) != 0; }
  bool is_healthy() const { return !cell_ || cell_->is_healthy.load(std::memory_order_relaxed) != 0; }
  bool is_down() const;  // by checks, or disabled
  // After a connection was refused or reset others are preferred for a while, until the health check knows.
  bool is_avoided() const;
  EventLoop::Clock::time_point avoided_until() const { return avoided_until_; }
  void avoid();
  // By its failures: see ejection.h.
  bool is_ejected() const { return cell_ && cell_->standing.load(std::memory_order_relaxed) != Standing::kIn; }
  // Requests, over the workers that have ever been: Board::workers_seen().
  std::uint64_t in_flight(std::uint32_t workers) const { return cell_ ? sum_of(cell_->in_flight, workers) : leased_; }
  // Whether another request would be beyond `limits`.
  bool is_full(const config::Limits& limits) const;

  // What one exchange needs of a connection: of HTTP/1.1 the whole of it, the idle one that was used last unless it
  // `must_connect`; of HTTP/2 a stream of the first that has room; else of a new one, still connecting. nullptr with errno
  // when not even a socket can be had, kFull when it is beyond the pool's limits. Ends with BackendSide::release().
  static constexpr int kFull = EBUSY;
  BackendSide* lease(BackendUser& user, const config::Pool& pool, bool must_connect);
  // A socket that is connecting, for who makes a connection of it and counts it: count_lease(1), then -1. Not open, with errno,
  // as above.
  Fd dial() { return l7::dial(address_, sources_); }
  // Why there is none, or why it came to nothing.
  std::string why_unreached(std::string_view reason) const;
  void count_lease(int change);
  // Makes connections ahead of requests, as many as are missing of pool.min_idle, or some of them.
  void warm(const config::Pool& pool);
  LongStays& stays() { return stays_; }
  const IdleHabit& idle_habit() const { return idle_habit_; }

  // For connections.
  void give_back(H1Connection& connection, const config::Pool& pool);
  void drop_idle(H1Connection& connection, ConnectionEnd end);
  void leave_behind(H1Connection& connection, const config::Pool& pool);  // it is still connecting
  void on_warm(H1Connection& connection);                                  // it is no more
  void drop_warming(H1Connection& connection, ConnectionEnd end);
  void drop_all_idle();  // those of HTTP/2 once they have no stream
  // Whether connections are kept for a next request: not to one that has left its pool. What it was asked it answers.
  void set_member(bool is_member);
  void drop(H2Connection& connection, ConnectionEnd end);

  std::atomic<std::uint32_t>* connection_count() const;  // nullptr: not counted
  void count_request();
  void count_failure();
  BackendCell* cell() const { return cell_; }
  bool is_unused() const { return pins_ == 0 && leased_ == 0; }

 private:
  friend class BackendPin;
  friend class BackendHolds;
  bool admit(const config::Limits& limits);
  std::unique_ptr<Stream> connect(const config::Limits& limits);
  BackendSide* lease_connection(BackendUser& user, const config::Pool& pool, bool must_connect);
  BackendSide* lease_stream(BackendUser& user, const config::Pool& pool);
  std::unique_ptr<H1Connection> take_idle(const config::Pool& pool);
  std::optional<ConnectionEnd> reason_to_end(const H1Connection& connection, const config::Pool& pool) const;
  void retire_worn(const config::Pool& pool);
  void end(std::unique_ptr<BackendConnection> connection, ConnectionEnd end);
  H2Connection& add_shared(std::unique_ptr<Stream> stream);
  void keep_connecting(std::unique_ptr<H1Connection> connection, const config::Pool& pool);
  void note_cold();
  void note_close(const BackendConnection& connection);
  template <typename Connection>
  static auto find_in(std::vector<std::unique_ptr<Connection>>& all, const Connection& connection) {
    return std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.get() == &connection; });
  }

  WorkerContext& context_;
  Endpoint address_;
  BackendCell* cell_;  // nullptr when the board is full: then only this worker's own experience counts
  TlsClientContext tls_;
  TlsSessions sessions_;
  SourceAddresses sources_;
  LongStays stays_;
  IdleHabit idle_habit_;
  std::vector<std::unique_ptr<H1Connection>> idle_;
  std::vector<std::unique_ptr<H1Connection>> warming_;  // nobody waits for them: see warm.cc
  std::vector<std::unique_ptr<H2Connection>> shared_;
  EventLoop::Clock::time_point avoided_until_{};
  EventLoop::Clock::time_point warm_due_{};
  Duration warm_wait_{0};
  std::uint32_t pins_ = 0;
  std::uint32_t leased_ = 0;
  bool is_member_ = true;
};

// Keeps a backend in its set for as long as some snapshot names it.
class BackendPin {
 public:
  explicit BackendPin(Backend& backend) : backend_(&backend) { ++backend.pins_; }
  BackendPin(BackendPin&& other) noexcept : backend_(std::exchange(other.backend_, nullptr)) {}
  BackendPin& operator=(BackendPin&&) = delete;
  ~BackendPin() {
    if (backend_) --backend_->pins_;
  }
  Backend& operator*() const { return *backend_; }
  Backend* operator->() const { return backend_; }

 private:
  Backend* backend_;
};

// Keeps the backends of one exchange in their set, also when they leave its pool meanwhile: those that it has been given,
// those that a slow connection was to be left for, and the one that its client is bound to.
class BackendHolds {
 public:
  BackendHolds() = default;
  BackendHolds(const BackendHolds&) = delete;
  ~BackendHolds() { clear(); }
  void add(Backend* backend) {
    if (!backend) return;
    GH_CHECK(count_ < kMost);
    ++backend->pins_;
    held_[count_++] = backend;
  }
  void clear() {
    while (count_ > 0) --held_[--count_]->pins_;
  }

 private:
  static constexpr std::size_t kMost = 2 * config::kMostAttempts + 2;
  std::array<Backend*, kMost> held_{};
  std::size_t count_ = 0;
};

class BackendSet {
 public:
  explicit BackendSet(WorkerContext& context) : context_(context) {}
  WorkerContext& context() { return context_; }
  // For a member of a pool. A backend of another identity than before starts with new connections.
  Backend& find_or_add(std::string_view pool, const Endpoint& address, const TlsClientContext& tls = {},
                       const SourceAddresses& sources = {});
  // How often a backend of this worker was avoided.
  std::uint64_t avoidances() const { return avoidances_; }
  void count_avoidance() { ++avoidances_; }
  // Forgets backends that no snapshot names and no exchange uses.
  void sweep();
  void clear() { backends_.clear(); }

 private:
  WorkerContext& context_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Backend>> backends_;
  std::uint64_t avoidances_ = 0;
};

}  // namespace gatehouse::l7
