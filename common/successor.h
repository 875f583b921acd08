// The program that this process was started from, as it lies on disk now, and as what the process may go on:
// how a daemon is upgraded. It keeps its pid, its children, its signals that are pending, and the descriptors
// that it names; all else is what a restart finds. Made in main(), before anything could have replaced the
// file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse {

class Successor {
 public:
  explicit Successor(int argc, char** argv);
  ~Successor();

  // Since when this program runs here, in milliseconds of Unix time: another one after an upgrade.
  std::int64_t began_ms() const { return began_ms_; }
  // By name, for the next process's take_inherited_descriptors().
  using Kept = std::vector<std::pair<std::string, int>>;
  // Runs the program as --rehearse, which does what a start does as far as it changes nothing. An Error is
  // what it said: it would not start, and nothing has changed. Else the process goes on as that program as
  // soon as the answer has left. One at a time. A process that cannot become another after all ends, and
  // whoever watches over it starts it anew.
  void upgrade(EventLoop& loop, std::function<Kept()> kept, std::function<void(Status)> on_rehearsed);

 private:
  struct Rehearsal;
  void rehearse(EventLoop& loop, std::function<void(Status)> on_done);
  [[noreturn]] void become();
  std::int64_t began_ms_;
  std::string program_;
  std::vector<std::string> arguments_;
  std::unique_ptr<Rehearsal> rehearsal_;
  std::function<Kept()> kept_;
  Timer farewell_;
};

}  // namespace gatehouse
