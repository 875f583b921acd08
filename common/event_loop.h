// One thread's event loop: epoll for descriptors, a hashed wheel for deadlines, a clock read once per turn. It is
// the only place where a Gatehouse process blocks. It owns neither descriptors nor the objects behind a Watch or
// a Timer: those unregister themselves when they are destroyed, also from inside a callback of the same turn.
//
// Descriptors are watched edge-triggered by default: a handler reads or writes until the kernel says EAGAIN, or
// remembers that it stopped early. In return a descriptor costs one epoll_ctl in its life.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/fd.h"
#include "common/units.h"

namespace gatehouse {

class EventLoop;

// Interest in one descriptor. The owner keeps the descriptor open for as long as the Watch is active.
class Watch {
 public:
  using Callback = void (*)(void* owner, std::uint32_t events);

  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  ~Watch() { stop(); }

  // Calls (owner->*Method)(epoll_events) from the loop. Errors of epoll_ctl are ours and abort.
  template <auto Method, typename Owner>
  void start(EventLoop& loop, int fd, std::uint32_t events, Owner* owner) {
    start(loop, fd, events, owner, [](void* object, std::uint32_t happened) {
      (static_cast<Owner*>(object)->*Method)(happened);
    });
  }
  void start(EventLoop& loop, int fd, std::uint32_t events, void* owner, Callback callback);
  void change(std::uint32_t events);
  void stop();  // harmless when not active
  bool is_active() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  void* owner_ = nullptr;
  Callback callback_ = nullptr;
  int fd_ = -1;
};

// A deadline. Arming and cancelling are O(1); precision is EventLoop::kTick, never early.
class Timer {
 public:
  using Callback = void (*)(void* owner);

  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  template <auto Method, typename Owner>
  void arm(EventLoop& loop, Duration delay, Owner* owner) {
    arm(loop, delay, owner, [](void* object) { (static_cast<Owner*>(object)->*Method)(); });
  }
  void arm(EventLoop& loop, Duration delay, void* owner, Callback callback);  // re-arms when armed
  void cancel();                                                              // harmless when not armed
  bool is_armed() const { return loop_ != nullptr; }

 private:
  friend class EventLoop;
  EventLoop* loop_ = nullptr;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  void* owner_ = nullptr;
  Callback callback_ = nullptr;
  std::uint64_t deadline_tick_ = 0;
};

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr Duration kTick{10};
  static constexpr std::uint32_t kEdge = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  void run();                               // until stop()
  void stop() { is_stopped_ = true; }
  void turn(Duration longest_wait);         // one wait and all it brought; for tests
  Clock::time_point now() const { return now_; }  // read once per turn
  // Runs `task` once, at the end of this turn: how an object retires itself from inside its own callback.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }

 private:
  friend class Watch;
  friend class Timer;
  static constexpr std::size_t kSlots = 512;
  static constexpr int kBatch = 256;

  std::uint64_t tick_of(Clock::time_point time) const;
  int wait_milliseconds(Duration longest_wait) const;
  void fire_timers();
  void fire_slot(std::size_t slot);
  void forget(const Watch* watch);
  void link(Timer* timer);
  void unlink(Timer* timer);

  Fd epoll_;
  Clock::time_point start_;
  Clock::time_point now_;
  std::uint64_t current_tick_ = 0;
  std::array<Timer*, kSlots> slots_{};
  std::size_t armed_ = 0;
  Timer* next_to_check_ = nullptr;  // fire_slot's cursor: kept right when a callback cancels timers
  std::array<epoll_event, kBatch> batch_{};
  int batch_count_ = 0;
  std::vector<std::function<void()>> deferred_;
  bool is_stopped_ = false;
};

// A task for the end of the turn that its owner's end takes back.
class Deferred {
 public:
  Deferred() = default;
  Deferred(const Deferred&) = delete;
  Deferred& operator=(const Deferred&) = delete;

  // Calls (owner->*Method)() once, however often it is armed until then.
  template <auto Method, typename Owner>
  void arm(EventLoop& loop, Owner* owner) {
    if (due_) return;
    due_ = std::make_shared<char>();
    loop.defer([this, owner, due = std::weak_ptr<char>(due_)] {
      if (due.expired()) return;
      due_.reset();
      (owner->*Method)();
    });
  }
  void cancel() { due_.reset(); }

 private:
  std::shared_ptr<char> due_;
};

}  // namespace gatehouse
