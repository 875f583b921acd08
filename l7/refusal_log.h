// Connections that are refused are somebody else's doing, and as many as he likes: the log gets one line a
// second, with how many were left out.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/address.h"
#include "common/event_loop.h"

namespace gatehouse::l7 {

class RefusalLog {
 public:
  explicit RefusalLog(EventLoop& loop) : loop_(loop) {}
  void add(std::string_view listener, const Endpoint& client, std::string_view why);

 private:
  EventLoop& loop_;
  EventLoop::Clock::time_point next_{};
  std::uint64_t left_out_ = 0;
};

}  // namespace gatehouse::l7
