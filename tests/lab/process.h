// Processes of a lab: started in a network namespace by setns (never `ip netns exec`, which hides
// /sys/fs/bpf), known by pid and start time, so that a pid that the kernel gave to somebody else is never
// signalled.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"

namespace gatehouse::lab {

using Arguments = std::vector<std::string>;

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t started = 0;  // field 22 of /proc/PID/stat

  static ProcessId self();
  static std::optional<ProcessId> of(pid_t pid);  // none: no such process, or a zombie
  bool is_alive() const;
};

// Output of a command that has ended; exit code 128 + signal for one that was killed.
struct Output {
  int exit_code = -1;
  std::string text;    // standard output
  std::string errors;  // standard error
};

// Runs `argv` in the network namespace at path `net` (empty: this one) and waits for it.
Output run(const std::string& net, const Arguments& argv, const std::string& input = {});
// Starts `argv` there in a session of its own; both outputs are appended to `log`.
Result<ProcessId> start(const std::string& net, const Arguments& argv, const std::string& log);
// Becomes `argv` there, with this process's terminal. Returns only when that fails.
Error become(const std::string& net, const Arguments& argv);
// Runs `task` in a child that has entered `net`; its Error comes back.
Status in_namespace(const std::string& net, const std::function<Status()>& task);

// Sends SIGKILL and returns when the process is gone.
void kill_and_wait(const ProcessId& process);
// All processes whose network namespace is the one at path `net`.
std::vector<ProcessId> processes_in(const std::string& net);

// Polls `condition` until it holds or `limit` has passed.
bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit,
                std::chrono::milliseconds interval = std::chrono::milliseconds(5));

}  // namespace gatehouse::lab
