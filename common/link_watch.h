// Tells when a network interface comes, goes or changes (rtnetlink): what was attached to one that was taken away must be
// attached anew when it is back. Names are not filtered: the owner knows which are its own.
#pragma once

#include <functional>
#include <string>

#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse {

class LinkWatch {
 public:
  // `is_there`: false when the interface was removed. Called from the loop, more often than needed.
  using Changed = std::function<void(const std::string& interface, bool is_there)>;

  LinkWatch(EventLoop& loop, Changed changed) : loop_(loop), changed_(std::move(changed)) {}
  Status start();

 private:
  void on_ready(std::uint32_t events);

  EventLoop& loop_;
  Changed changed_;
  Fd socket_;
  Watch watch_;
};

}  // namespace gatehouse
