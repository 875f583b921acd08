// Checks one server of a service: by TCP or UDP, with or without a request, directly or as clients' packets
// go (the socket's mark makes the tc program tunnel them to that server). Rise and fall damp the verdict; the
// first success ever counts alone.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/config/model.h"
#include "common/event_loop.h"
#include "common/result.h"
#include "common/rise_fall.h"

namespace gatehouse::l4 {

class ServerCheck {
 public:
  struct Target {
    Endpoint endpoint;
    IpAddress source;        // this host's address of that family
    std::uint32_t mark = 0;  // GH_PROBE_MARK and the server's id; 0: direct
    bool operator==(const Target&) const = default;
  };
  // `is_up`: what is believed until evidence says otherwise. `on_change` after every change of is_up().
  ServerCheck(EventLoop& loop, const config::ServerCheck& check, const Target& target, bool is_up,
              std::function<void()> on_change);

  bool is_up() const { return verdict_.is_up(); }
  bool has_result() const { return has_result_; }
  const std::string& reason() const { return reason_; }  // of the last failure; empty after a success
  // Since when every check has succeeded; nullopt when the last one did not.
  std::optional<EventLoop::Clock::time_point> clean_since() const { return clean_since_; }

 private:
  void start();
  Status open();
  void on_ready(std::uint32_t events);
  void read();
  void on_timeout();
  void conclude(const std::string& failure);

  EventLoop& loop_;
  config::ServerCheck check_;
  Target target_;
  std::string request_;
  std::string expect_;
  std::function<void()> on_change_;
  Fd socket_;
  Watch watch_;
  Timer interval_;
  Timer timeout_;
  std::string answer_;
  bool is_sent_ = false;
  bool has_result_ = false;
  RiseFall verdict_;
  bool is_judged_;  // by a check of ours, or an earlier daemon's
  std::string reason_ = "not checked yet";
  std::optional<EventLoop::Clock::time_point> clean_since_;
};

}  // namespace gatehouse::l4
