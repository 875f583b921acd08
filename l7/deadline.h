// A time limit that is moved far more often than it is reached: extending it costs two comparisons, the timer behind it
// is armed anew only when it fires too early or must fire earlier.
#pragma once

#include <algorithm>

#include "common/event_loop.h"

namespace gatehouse::l7 {

template <typename Owner, void (Owner::*Method)()>
class Deadline {
 public:
  Deadline(EventLoop& loop, Owner& owner) : loop_(loop), owner_(owner) {}

  void set(Duration limit) {
    due_ = loop_.now() + limit;
    if (!timer_.is_armed() || due_ < fires_) arm(limit);
  }
  void clear() { due_ = EventLoop::Clock::time_point::max(); }

 private:
  void arm(Duration delay) {
    fires_ = loop_.now() + delay;
    timer_.arm<&Deadline::on_timer>(loop_, delay, this);
  }
  void on_timer() {
    if (due_ == EventLoop::Clock::time_point::max()) return;
    if (loop_.now() < due_) return arm(std::chrono::ceil<Duration>(due_ - loop_.now()));
    (owner_.*Method)();
  }

  EventLoop& loop_;
  Owner& owner_;
  Timer timer_;
  EventLoop::Clock::time_point due_ = EventLoop::Clock::time_point::max();
  EventLoop::Clock::time_point fires_{};
};

}  // namespace gatehouse::l7
