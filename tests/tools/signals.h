// Signals as events of a loop: blocked for the process and read from a descriptor.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <functional>
#include <initializer_list>
#include <utility>

#include "common/event_loop.h"

namespace gatehouse::test {

class Signals {
 public:
  Signals(EventLoop& loop, std::initializer_list<int> numbers, std::function<void(int)> on_signal)
      : on_signal_(std::move(on_signal)) {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : numbers) sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = Fd(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    watch_.start<&Signals::on_ready>(loop, fd_.get(), EPOLLIN, this);
  }

 private:
  void on_ready(std::uint32_t) {
    signalfd_siginfo info;
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) on_signal_(static_cast<int>(info.ssi_signo));
  }

  std::function<void(int)> on_signal_;
  Fd fd_;
  Watch watch_;
};

}  // namespace gatehouse::test
