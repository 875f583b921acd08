// Probes one node through the data path: a real connection to the probe address, marked so that the tc program on the
// interface tunnels it to that node, answered by one of its workers. Rise and fall damp the verdict.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/config/model.h"
#include "common/event_loop.h"
#include "common/rise_fall.h"

namespace gatehouse::l4 {

class NodeProbe {
 public:
  // `is_up`: what is believed until evidence says otherwise. `source`: this host's address. `on_change` after every change
  // of is_up().
  NodeProbe(EventLoop& loop, const config::Probe& probe, std::uint16_t node, const IpAddress& source, bool is_up,
            std::function<void()> on_change);

  bool is_up() const { return verdict_.is_up(); }
  const std::string& reason() const { return reason_; }  // of the last failure; empty after a success
  // Since when every probe has been answered; nullopt when the last one was not.
  std::optional<EventLoop::Clock::time_point> clean_since() const { return clean_since_; }

 private:
  void start();
  void on_ready(std::uint32_t events);
  void on_timeout();
  void conclude(const std::string& failure);

  EventLoop& loop_;
  config::Probe probe_;
  std::uint16_t node_;
  IpAddress source_;
  std::function<void()> on_change_;
  Fd socket_;
  Watch watch_;
  Timer interval_;
  Timer timeout_;
  std::string answer_;
  bool is_sent_ = false;
  bool is_started_ = false;
  RiseFall verdict_;
  std::string reason_ = "not probed yet";
  std::optional<EventLoop::Clock::time_point> clean_since_;
};

}  // namespace gatehouse::l4
