// What both daemons' main() share: flags, signals, the end.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse {

// "--name VALUE" flags. `switches` take no value. Errors say which flags exist.
Result<std::map<std::string, std::string>> parse_daemon_flags(int argc, char** argv, const std::vector<std::string>& names,
                                                              const std::vector<std::string>& switches);

// Keeps these of the process's capabilities, gives up all others, and the way to get them by exec. What the daemons keep
// and why stands at their calls. An Error names the capability that is missing.
Status keep_capabilities(const std::vector<std::string>& names);

// As many descriptors as the hard limit allows.
void raise_descriptor_limit();

// Makes `folder` if need be and holds it for this process until the end; an Error names who holds it already. Taken before
// anything that two daemons must not both write.
Result<Fd> lock_state_folder(const std::string& folder);

// SIGTERM and SIGINT end, SIGHUP reloads, SIGUSR1 says that log files were moved away; SIGPIPE is ignored. Made before any
// other thread or child.
class DaemonSignals {
 public:
  DaemonSignals(EventLoop& loop, std::function<void()> on_end, std::function<void()> on_reload, std::function<void()> on_rotated = [] {});

 private:
  void on_ready(std::uint32_t events);
  Fd fd_;
  Watch watch_;
  std::function<void()> on_end_;
  std::function<void()> on_reload_;
  std::function<void()> on_rotated_;
};

}  // namespace gatehouse
