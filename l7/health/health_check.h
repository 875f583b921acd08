// Active checks of one backend, on a connection of its own every interval: what is said on it is
// HealthTalk's, here is when, and what follows. rise and fall damp the verdict; the first check decides
// alone, so that a dead backend gets nothing after a start.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>

#include "common/event_loop.h"
#include "common/rise_fall.h"
#include "l7/health/health_plan.h"
#include "l7/health/health_talk.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

class HealthCheck {
 public:
  struct Told {
    std::function<void()> on_change;  // after every change of is_healthy() or is_degraded()
    std::function<void()> on_pass;    // after every check that succeeded
  };
  // `offset`: how much later than now the first one starts, so that many do not start together.
  HealthCheck(EventLoop& loop, BufferPool& buffers, SharedHealthPlan plan,
              const Endpoint& backend, Duration offset, Told told);

  bool is_healthy() const { return verdict_.is_up(); }
  bool is_degraded() const { return is_healthy() && is_degraded_; }
  bool is_decided() const { return is_decided_; }  // a check has ended
  // Of the last failure or degradation; empty while all is well.
  const std::string& reason() const { return reason_; }

 private:
  void start();
  void on_event(std::uint32_t events);
  void on_timeout();
  void advance();
  void begin_with_header();
  void conclude(const HealthVerdict& verdict);
  void succeed(const HealthVerdict& verdict);
  void fail(const HealthVerdict& verdict);
  void start_after(Duration interval);

  EventLoop& loop_;
  BufferPool& buffers_;
  SharedHealthPlan plan_;
  Endpoint target_;
  Told told_;
  bool has_begun_ = false;
  std::unique_ptr<Wire> wire_;
  std::unique_ptr<HealthTalk> talk_;
  Watch watch_;
  Timer interval_;
  Timer timeout_;
  RiseFall verdict_;
  std::minstd_rand random_;
  bool is_degraded_ = false;
  bool is_decided_ = false;
  std::string reason_;
};

}  // namespace gatehouse::l7
