// Turning an event loop until something is so: a test that would hang fails instead.
#pragma once

#include <chrono>

#include "common/event_loop.h"

namespace gatehouse::test {

// Whether it came to be so within `limit`, which is generous: a machine can be slow.
template <typename Condition>
bool turn_until(EventLoop& loop, Condition condition, Duration limit = Duration(30'000)) {
  const auto end = EventLoop::Clock::now() + limit;
  while (!condition()) {
    if (EventLoop::Clock::now() >= end) return false;
    loop.turn(Duration(10));
  }
  return true;
}

}  // namespace gatehouse::test
