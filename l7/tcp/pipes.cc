#include "l7/tcp/pipes.h"

#include <fcntl.h>

namespace gatehouse::l7::tcp {

Pipe PipePool::take() {
  if (!kept_.empty()) {
    Pipe pipe = std::move(kept_.back());
    kept_.pop_back();
    ++lent_;
    return pipe;
  }
  int ends[2];
  if (lent_ >= kMost || pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) return {};
  ++lent_;
  // Refused when this user's pipes have much memory already: the pipe is a smaller one then.
  fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kPipeBytes));
  return {Fd(ends[0]), Fd(ends[1])};
}

void PipePool::give(Pipe pipe) {
  if (!pipe.is_open()) return;
  --lent_;
  if (pipe.filled == 0 && kept_.size() < kMostKept) kept_.push_back(std::move(pipe));
}

}  // namespace gatehouse::l7::tcp
