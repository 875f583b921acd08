// How long a backend keeps connections that nobody uses, learnt from when it closes ours, so that ours end a
// little sooner: one that it closes just as a request leaves costs that request a second try, and fails one
// that must not be repeated (RFC 9112 §9.3.1). Three that were closed after the same time, one by one, are a
// habit; one may be a restart, and those of one moment are one. It is forgotten after a while, to notice when
// the backend has become more patient.
#pragma once

#include <algorithm>

#include "common/event_loop.h"
#include "common/units.h"

namespace gatehouse::l7 {

class IdleHabit {
 public:
  using Time = EventLoop::Clock::time_point;
  static constexpr int kCloses = 3;
  static constexpr Duration kMoment{50};
  static constexpr Duration kBelieved{600'000};

  // The backend has closed a connection that had rested for so long. Returns whether a habit is known by it.
  bool note_close(Duration rested, Time now) {
    if (now - last_ < kMoment) return false;
    last_ = now;
    const bool is_same = rested <= shortest_ + shortest_ / 8 && rested >= shortest_ - shortest_ / 8;
    closes_ = is_same ? closes_ + 1 : 1;
    shortest_ = is_same ? std::min(shortest_, rested) : rested;
    if (closes_ < kCloses) return false;
    closes_ = 0;
    habit_ = shortest_ - shortest_ / 8;
    until_ = now + kBelieved;
    return true;
  }
  // How long one may rest that could for `limit`.
  Duration bound(Duration limit, Time now) const { return now < until_ ? std::min(limit, habit_) : limit; }

 private:
  Duration shortest_{0};  // of the last closes
  int closes_ = 0;
  Time last_{};
  Duration habit_{0};
  Time until_{};
};

}  // namespace gatehouse::l7
