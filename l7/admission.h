// How many client connections a worker takes: per listener, per client address, and never so many that no
// descriptor is left for backends. A listener that is full pauses and is woken as soon as a connection ends;
// a client that has its share is refused. Every open connection holds a Seat, which gives back what it counts
// for.
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
  std::uint32_t id = 0;
  std::uint32_t open = 0;
};

class Seat {
 public:
  Seat() = default;
  Seat(Admission& admission, ListenerCount& listener);
  Seat(Seat&& other) noexcept;
  Seat& operator=(Seat&&) = delete;
  ~Seat();

  // Counts it for its client. False: the client has `most` already; it stays counted until the seat is given
  // back.
  bool take_client(const IpAddress& address, std::uint32_t most);

 private:
  Admission* admission_ = nullptr;
  ListenerCount* listener_ = nullptr;
  IpAddress client_;
  bool counts_client_ = false;
};

class Admission {
 public:
  Admission(EventLoop& loop, WorkerCell& cell);
  Admission(const Admission&) = delete;

  ListenerCount& count_of(std::string_view listener);
  // Whether one more connection may be accepted. `most`: of the listener; 0: no limit of its own.
  bool has_room(const ListenerCount& listener, std::uint32_t most) const;
  // The kernel gives out the lowest number that is free: an accepted socket's number tells how many are in
  // use.
  void note_descriptor(int fd) { highest_ = fd; }

  // Calls listener.resume() when there may be room again.
  void wait(Listener& listener);
  void forget(Listener& listener);
  void wake_all();

 private:
  friend class Seat;
  void leave(ListenerCount& listener);
  void wake_later();
  void count_waiting();

  EventLoop& loop_;
  WorkerCell& cell_;
  std::map<std::string, ListenerCount, std::less<>> listeners_;
  ClientTable clients_;
  std::vector<Listener*> waiting_;
  bool is_wake_due_ = false;
  std::uint32_t open_ = 0;
  std::uint32_t descriptors_ = 0;
  int highest_ = 0;
};

}  // namespace gatehouse::l7
