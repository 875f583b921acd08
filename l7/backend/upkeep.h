// What a worker does for its pools although no request asks: keeps connections ready (min_idle) and ends what
// stays with a backend that went down (end_when_down). It looks every kInterval, and only while some pool
// wants one of these.
#pragma once

#include "common/event_loop.h"

namespace gatehouse::l7 {

struct WorkerContext;

class Upkeep {
 public:
  explicit Upkeep(WorkerContext& context) : context_(context) {}
  void begin();  // for the pools of the runtime that is in use now
  void run();

 private:
  static constexpr Duration kInterval{50};
  void on_tick();

  WorkerContext& context_;
  Timer tick_;
};

}  // namespace gatehouse::l7
