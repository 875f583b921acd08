// A connection to a backend, of whatever protocol: the socket, its events, the time that it may rest unused, and what it
// may do in all: its age and its requests.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "common/event_loop.h"
#include "l7/backend/connection_end.h"
#include "l7/wire.h"

namespace gatehouse::config {
struct Pool;
}

namespace gatehouse::l7 {

class Backend;
struct WorkerContext;

class BackendConnection {
 public:
  // `stream` may still be connecting. The backend has counted it; the count ends with it.
  BackendConnection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream);
  virtual ~BackendConnection();
  BackendConnection(const BackendConnection&) = delete;

  std::string identity;  // of TlsClientContext: a connection serves only those who would have made the same

  Wire& wire() { return wire_; }
  const Wire& wire() const { return wire_; }
  bool is_resting() const { return idle_timer_.is_armed(); }
  void detach();  // it is ending: events are for nobody any more
  // Why it takes no further request of `pool`, if that is so.
  std::optional<ConnectionEnd> wear(const config::Pool& pool) const;
  std::uint32_t requests() const { return requests_; }
  // For how long nobody has used it; nullopt: somebody does.
  std::optional<Duration> rested() const {
    return is_resting() ? std::optional(std::chrono::floor<Duration>(loop_.now() - rests_since_)) : std::nullopt;
  }

 protected:
  Backend& owner() { return owner_; }
  void count_request() { ++requests_; }
  void forget_requests() { requests_ = 0; }  // none was sent
  void plan_rest(const config::Pool& pool);
  void rest();
  void expect_open(Duration timeout);  // in place of a rest
  ConnectionEnd rest_end() const { return rest_end_; }  // why it was not to rest longer
  void wake() { idle_timer_.cancel(); }

 private:
  virtual void on_ready() = 0;  // the wire has noted an event
  virtual void on_idle_timeout() = 0;
  void on_event(std::uint32_t events);

  Duration age_limit(const config::Pool& pool) const;

  EventLoop& loop_;
  Backend& owner_;
  const EventLoop::Clock::time_point born_;
  const std::uint32_t lot_;  // so that those that were made together do not end together
  std::uint32_t requests_ = 0;
  Duration idle_time_{0};
  EventLoop::Clock::time_point old_at_ = EventLoop::Clock::time_point::max();
  ConnectionEnd rest_end_ = ConnectionEnd::kIdle;
  EventLoop::Clock::time_point rests_since_{};
  std::atomic<std::uint32_t>* count_;  // of open ones, on the board
  Wire wire_;
  Watch watch_;
  Timer idle_timer_;
};

}  // namespace gatehouse::l7
