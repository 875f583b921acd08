// How many client connections a worker takes: per listener, per client address, and none while descriptors or
// buffers are short for those that are there. A listener that is full pauses and is woken as soon as a
// connection ends; a client that has its share is refused. Every open connection holds a Seat, which gives
// back what it counts for.
//
// One per worker: the counts are the worker's own. Counting allocates only while the tables grow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/event_loop.h"
#include "l7/board.h"
#include "l7/buffer.h"

namespace gatehouse::l7 {

class Admission;
class Listener;

// Open connections by listener and client. Open addressing with a keyed hash: clients choose their addresses.
class ClientTable {
 public:
  ClientTable();
  std::uint32_t add(std::uint32_t listener, const IpAddress& client);  // returns the count with this one
  void remove(std::uint32_t listener, const IpAddress& client);
  std::size_t size() const { return used_; }
  std::size_t capacity() const { return slots_.size(); }

 private:
  struct Slot {
    IpAddress client;
    std::uint32_t listener = 0;
    std::uint32_t count = 0;  // 0: free
  };
  std::size_t home(std::uint32_t listener, const IpAddress& client) const;
  std::size_t find(std::uint32_t listener,
                   const IpAddress& client) const;  // its slot, or the free one for it
  void grow();

  std::vector<Slot> slots_;  // a power of two
  std::size_t used_ = 0;
  std::uint64_t secret_[2];
};

// The count of one listener, kept across reloads.
struct ListenerCount {
  Admission& admission;
  std::uint32_t id = 0;
  std::uint32_t open = 0;
};

class Seat {
 public:
  Seat() = default;
  explicit Seat(ListenerCount& listener);
  Seat(Seat&& other) noexcept;
  Seat& operator=(Seat&&) = delete;
  ~Seat();

  // Counts it for its client. False: the client has `most` already; it stays counted until the seat is given
  // back.
  bool take_client(const IpAddress& address, std::uint32_t most);

 private:
  ListenerCount* listener_ = nullptr;
  IpAddress client_;
  bool counts_client_ = false;
};

class Admission {
 public:
  Admission(EventLoop& loop, const BufferPool& buffers, WorkerCell& cell);
  Admission(const Admission&) = delete;

  ListenerCount& count_of(std::string_view listener);
  // Whether one more connection may be accepted. `most`: of the listener; 0: no limit of its own.
  bool has_room(const ListenerCount& listener, std::uint32_t most) const;
  // The kernel gives out the lowest number that is free: a new descriptor's number tells how many are in use.
  void note_descriptor(int fd) { in_use_ = static_cast<std::uint32_t>(fd) + 1; }
  // Bytes that buffers may take before accepting stops.
  void set_most_buffered(std::uint64_t bytes) { most_buffered_ = bytes; }

  // Calls listener.resume() when there may be room again.
  void wait(Listener& listener);
  void forget(Listener& listener);
  void wake_all();

 private:
  friend class Seat;
  bool is_short() const;
  void leave(ListenerCount& listener);
  void wake_later();
  void count_waiting();

  EventLoop& loop_;
  const BufferPool& buffers_;
  WorkerCell& cell_;
  Timer retry_;  // what is short comes back without a connection's end too
  std::map<std::string, ListenerCount, std::less<>> listeners_;
  ClientTable clients_;
  std::vector<Listener*> waiting_;
  bool is_wake_due_ = false;
  std::uint32_t open_ = 0;
  std::uint32_t descriptors_ = 0;
  std::uint32_t in_use_ = 0;  // of them, when it was last seen
  std::uint64_t most_buffered_ = ~0ull;
};

}  // namespace gatehouse::l7
