// Walks through the flow cache, a part every second: takes away what has rested for too long, so that ages
// never wrap around into youth, and counts whose flows are left. The front door writes to the cache all the
// while: a way is taken away by compare-and-swap only.
#pragma once

#include <cstdint>
#include <vector>

#include "common/event_loop.h"
#include "l4/data_plane.h"

namespace gatehouse::l4 {

class FlowSweep {
 public:
  FlowSweep(EventLoop& loop, DataPlane& plane);

  void start();
  // One part; the last part of a walk makes its counts those that are shown.
  void step();
  // As of the last whole walk.
  std::uint64_t flows_of(std::uint16_t id) const { return id < shown_.size() ? shown_[id] : 0; }
  std::uint64_t flows() const;

 private:
  std::uint16_t idle_of(std::uint16_t server) const;
  void on_second();

  EventLoop& loop_;
  DataPlane& plane_;
  std::size_t next_ = 0;  // line
  std::vector<std::uint64_t> counted_;
  std::vector<std::uint64_t> shown_;
  Timer second_;
};

}  // namespace gatehouse::l4
