// Pipes for splice(2): what moves through one is not copied. Kept for reuse while they are empty; a worker
// has a bounded number of them, and whoever gets none copies. Idle connections hold none.
#pragma once

#include <cstddef>
#include <vector>

#include "common/fd.h"

namespace gatehouse::l7::tcp {

struct Pipe {
  Fd out;  // where it is read
  Fd in;
  std::size_t filled = 0;
  bool is_open() const { return in.is_open(); }
};

class PipePool {
 public:
  static constexpr std::size_t kPipeBytes = 256 * 1024;  // where the kernel grants it

  Pipe take();           // not open when there is none to be had
  void give(Pipe pipe);  // closed unless it is empty

 private:
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kMostKept = 16;
  std::vector<Pipe> kept_;
  std::size_t lent_ = 0;
};

}  // namespace gatehouse::l7::tcp
