// A place for a worker on the board, as its supervisor sees it: the process there, if any, and where it
// stands. Of the files that make WorkerProcesses, and nobody else.
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "l7/supervisor/worker_process.h"

namespace gatehouse::l7 {

inline constexpr std::uint32_t kNoSlot = kMaxWorkers;
// For how long a worker that leaves accepts where nobody has its sockets: a SYN+ACK of before, and one that
// was lost.
inline constexpr Duration kHandshakes{3'000};

struct WorkerProcesses::Place {
  WorkerProcesses& owner;
  std::uint32_t index;
  int pid = 0;                   // 0: nobody is here
  std::uint32_t slot = kNoSlot;  // also of one that is about to be started again
  Fd process;                    // pidfd
  Watch watch;
  Timer dial_limit;
  Timer restart;
  Timer resend;
  control::Channel* channel = nullptr;  // after hello
  std::set<std::string> sockets;        // keys that it serves
  std::uint64_t digest = 0;             // of the config it says it serves
  Duration backoff{0};
  EventLoop::Clock::time_point started{};
  bool is_leaving = false;
  bool is_heir = false;   // of the replacement that is going on, without a slot yet
  bool can_lend = false;  // knows what is asked of it when it is replaced
  std::string version;    // of its program

  void on_exit(std::uint32_t) { owner.on_death(*this); }
  void on_dial_limit() { owner.on_dial_timeout(*this); }
  void on_restart() { owner.spawn(*this); }
  void on_resend() {
    if (channel) owner.send_config(*this);
  }
  bool is_alive() const { return process.is_open(); }
};

}  // namespace gatehouse::l7
