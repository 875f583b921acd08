// What the service manager (systemd) is told of a daemon, in the words of sd_notify(3): that it serves,
// reloads or ends, one line of status, and, where a watchdog is wanted, that the event loop still turns.
// Where nobody wants to know (no NOTIFY_SOCKET) all of it does nothing. Nothing here can fail for the daemon:
// what is lost is lost.
#pragma once

#include <string>

#include "common/event_loop.h"

namespace gatehouse {

class ServiceManager {
 public:
  explicit ServiceManager(EventLoop& loop);

  // The daemon serves. Said once; later calls change the status.
  void ready(const std::string& status);
  // A line for people; said when it has changed.
  void set_status(const std::string& status);
  // Around each reload; they may overlap.
  void begin_reload();
  void end_reload();
  // The daemon ends, which takes `longest` at most.
  void stopping(Duration longest);

 private:
  void pat_watchdog();

  EventLoop& loop_;
  std::string status_;
  Duration watchdog_{0};  // half of what the manager waits; 0: it does not
  Timer watchdog_timer_;
  std::uint32_t reloads_ = 0;
  bool is_ready_ = false;
};

}  // namespace gatehouse
