// The line in front of a full pool, as one worker has it: requests wait there until a place is free, their
// time is over, or a dearer one needs the room. How many may wait is counted over the node, on the board. It
// belongs to the pool's name and not to a snapshot: after a reload those who waited before still come first.
//
// A place that is freed in this worker is taken at the end of the turn. Of those that others free a worker
// learns by looking, every EventLoop::kTick and only while somebody waits: places are nearly always freed
// where they were taken, and a descriptor to wake by would have to reach every worker of every supervisor
// that ever adopted this one. So that a worker that has few places does not wait for ever, each shows the
// others its foremost ticket, and leaves them a place when theirs is much older.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/event_loop.h"
#include "l7/backend/waiting_line.h"
#include "l7/board.h"

namespace gatehouse::l7 {

struct WorkerContext;

class PoolQueue {
 public:
  PoolQueue(WorkerContext& context, std::string_view pool);
  PoolQueue(const PoolQueue&) = delete;

  // Whether a request that has just come may try: nobody who waits goes before it.
  bool admits(PriorityClass priority) const;
  // False: as many wait on the node as may (`limit`), none of them here and cheaper.
  bool join(QueueTicket& ticket, std::uint32_t limit);
  void leave(QueueTicket& ticket);                  // harmless when it is not in line
  void count_held(int change) { held_ += change; }  // requests of this worker that have a place
  void on_freed();  // one of them has it no more: those in front try at the end of the turn

 private:
  friend class PoolQueues;
  friend class QueuePin;
  bool may_take() const;
  bool is_anyone_before() const;
  void wake_later();
  void serve();
  void on_tick();
  void show_foremost();
  void call(QueueTicket& ticket);
  bool is_unused() const { return pins_ == 0 && line_.is_empty() && turned_out_.is_empty() && !is_due_; }

  WorkerContext& context_;
  std::unique_ptr<PoolCell> own_cell_;  // when the board is full
  PoolCell* cell_;
  WaitingLine line_;
  WaitingLine turned_out_;  // until they are told, at the end of the turn
  Timer tick_;
  std::int64_t held_ = 0;
  std::int64_t most_ = 0;  // that this worker holds while it leaves a place to others
  EventLoop::Clock::time_point yields_until_{}, next_yield_{};
  std::uint32_t pins_ = 0;
  bool is_due_ = false;
};

// Keeps a queue for as long as some snapshot has the pool.
class QueuePin {
 public:
  explicit QueuePin(PoolQueue& queue) : queue_(queue) { ++queue.pins_; }
  QueuePin(const QueuePin&) = delete;
  ~QueuePin() { --queue_.pins_; }
  PoolQueue* get() const { return &queue_; }

 private:
  PoolQueue& queue_;
};

// Those of a worker.
class PoolQueues {
 public:
  explicit PoolQueues(WorkerContext& context) : context_(context) {}
  PoolQueue& find_or_add(std::string_view pool);
  void sweep();  // forgets those that no snapshot has

 private:
  friend class PoolQueue;
  void wake_later(PoolQueue& queue);
  void run_due();

  WorkerContext& context_;
  std::map<std::string, std::unique_ptr<PoolQueue>, std::less<>> queues_;
  std::vector<PoolQueue*> due_, running_;
};

}  // namespace gatehouse::l7
