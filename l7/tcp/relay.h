// One connection passed through as it is: bytes of a client to a backend and back, each direction with
// back-pressure and an end of its own. Small messages go through a small buffer each; what comes in bulk goes
// through a pipe without a copy when both sides are clear, else through a large buffer. Nothing waits in
// memory but what the slower side has not taken yet.
//
// Owned by WorkerContext::relays; it retires itself. Keeps the config that it began with until it is
// connected.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "l7/arrival.h"
#include "l7/backend/backend.h"
#include "l7/deadline.h"
#include "l7/runtime.h"
#include "l7/tcp/pipes.h"
#include "l7/wire.h"

namespace gatehouse::l7 {
class Backend;
class Pool;
}  // namespace gatehouse::l7

namespace gatehouse::l7::tcp {

class Relay {
 public:
  // `pool` is of the current runtime.
  Relay(WorkerContext& context, const Runtime::Listener& listener, std::unique_ptr<Stream> stream,
        Arrival arrival, Pool& pool);
  ~Relay();

  void advance();

  std::size_t place = 0;  // both for Roster
  bool is_resumed = false;

 private:
  enum class Phase : std::uint8_t { kHandshake, kChoose, kConnect, kRelay, kGone };
  // One direction.
  struct Way {
    std::uint64_t bytes = 0;
    Pipe pipe;              // open: bytes go through it
    std::uint8_t bulk = 0;  // reads in a row that left something in the socket
    bool is_done = false;   // its end was passed on, or its receiver is gone
  };

  void on_client_event(std::uint32_t events);
  void on_backend_event(std::uint32_t events);
  void on_deadline();
  void on_slow_connect();
  void on_backend_down();
  // Each returns whether the phase changed.
  bool shake_hands();
  bool choose_backend();
  bool connect();
  bool relay();
  bool begin_relaying();
  bool try_another(std::string_view why);
  void count_failure();

  // Each returns whether bytes moved.
  bool pump(Way& way, Wire& from, Wire& to);
  bool pump_buffer(Way& way, Wire& from, Wire& to);
  bool pump_pipe(Way& way, Wire& from, Wire& to);
  static bool is_pending(const Way& way, Wire& to);
  bool settle();
  void finish(Way& way);
  void give_back(Pipe& pipe);

  bool end(std::string_view reason);
  void break_off();
  void drop_backend();
  void write_log() const;

  WorkerContext& context_;
  Wire client_;
  std::optional<Wire> backend_;
  Arrival arrival_;
  std::shared_ptr<const Runtime> runtime_;  // until connected
  Pool* pool_;                              // its
  Backend* chosen_ = nullptr;
  LongStay stay_;  // with it
  static constexpr std::size_t kMaxAttempts = 3;
  std::array<Backend*, kMaxAttempts> tried_{};
  BackendHolds holds_;  // of all these
  std::uint8_t attempts_ = 0;
  Phase phase_ = Phase::kHandshake;
  bool is_clear_;
  Way to_backend_;
  Way to_client_;
  Watch client_watch_;
  Watch backend_watch_;
  Duration idle_timeout_;
  Deadline<Relay, &Relay::on_deadline> deadline_;
  EventLoop::Clock::time_point started_;
  EventLoop::Clock::time_point connect_expires_{};
  std::string listener_name_;
  std::string pool_name_;
  std::string error_;
};

}  // namespace gatehouse::l7::tcp
