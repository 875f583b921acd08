// Who waits, in order: dearer classes first, first come first served within a class. A ticket is a link in
// whatever waits, which outlives its stay: nothing is allocated, and joining and leaving cost the same in
// lines of any length. What they wait for is not known here: see pool_queue.h.
#pragma once

#include <array>
#include <cstdint>

#include "common/check.h"
#include "l7/priority_class.h"

namespace gatehouse::l7 {

class Exchange;

struct QueueTicket {
  QueueTicket() = default;
  QueueTicket(const QueueTicket&) = delete;
  ~QueueTicket() { GH_CHECK(!is_in_line); }

  Exchange* owner = nullptr;
  PriorityClass priority = PriorityClass::kDefault;
  std::int64_t since_ms = 0;  // board_time()
  bool is_in_line = false;
  bool is_called = false;      // its turn has come: it may try
  bool is_turned_out = false;  // for a dearer one, of a line that was full

 private:
  friend class WaitingLine;
  QueueTicket* next_ = nullptr;
  QueueTicket* previous_ = nullptr;
};

class WaitingLine {
 public:
  bool is_empty() const { return front() == nullptr; }
  QueueTicket* front() const {
    for (const Lane& lane : lanes_) {
      if (lane.first) return lane.first;
    }
    return nullptr;
  }
  // Of those cheaper than `priority`, the cheapest that came last.
  QueueTicket* last_below(PriorityClass priority) const {
    for (std::size_t i = kPriorityClasses - 1; i > static_cast<std::size_t>(priority); --i) {
      if (lanes_[i].last) return lanes_[i].last;
    }
    return nullptr;
  }
  void add(QueueTicket& ticket) {
    GH_CHECK(!ticket.is_in_line);
    Lane& lane = lane_of(ticket);
    ticket.is_in_line = true;
    ticket.next_ = nullptr;
    ticket.previous_ = lane.last;
    (lane.last ? lane.last->next_ : lane.first) = &ticket;
    lane.last = &ticket;
  }
  void remove(QueueTicket& ticket) {
    GH_CHECK(ticket.is_in_line);
    Lane& lane = lane_of(ticket);
    ticket.is_in_line = false;
    (ticket.previous_ ? ticket.previous_->next_ : lane.first) = ticket.next_;
    (ticket.next_ ? ticket.next_->previous_ : lane.last) = ticket.previous_;
  }

 private:
  struct Lane {
    QueueTicket* first = nullptr;
    QueueTicket* last = nullptr;
  };
  Lane& lane_of(const QueueTicket& ticket) { return lanes_[static_cast<std::size_t>(ticket.priority)]; }

  std::array<Lane, kPriorityClasses> lanes_{};
};

}  // namespace gatehouse::l7
