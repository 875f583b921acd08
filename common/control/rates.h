// Rates of a status, from the counters of one that was taken a moment before: whoever asks once gets rates too.
#pragma once

#include <nlohmann/json.hpp>

#include "common/event_loop.h"

namespace gatehouse::control {

class StatusRates {
 public:
  // Called about once a second with the status of that moment.
  void remember(nlohmann::json status, EventLoop::Clock::time_point now);
  // Adds "packets_per_second", "bytes_per_second" and "requests_per_second" beside the counters of every row of `status` that
  // was there before. Nothing in the first second.
  void add_to(nlohmann::json& status, EventLoop::Clock::time_point now) const;

 private:
  struct Moment {
    nlohmann::json status;
    EventLoop::Clock::time_point time{};
  };
  Moment older_;  // rates are taken over one to two seconds
  Moment newer_;
};

}  // namespace gatehouse::control
