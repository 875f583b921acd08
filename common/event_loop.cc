#include "common/event_loop.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/check.h"

namespace gatehouse {

void Watch::start(EventLoop& loop, int fd, std::uint32_t events, void* owner, Callback callback) {
  GH_CHECK(!is_active());
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  GH_CHECK(epoll_ctl(loop.epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
  loop_ = &loop;
  owner_ = owner;
  callback_ = callback;
  fd_ = fd;
}

void Watch::change(std::uint32_t events) {
  GH_CHECK(is_active());
  epoll_event event{};
  event.events = events;
  event.data.ptr = this;
  GH_CHECK(epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_MOD, fd_, &event) == 0);
}

void Watch::stop() {
  if (!is_active()) return;
  epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  loop_->forget(this);
  loop_ = nullptr;
}

void Timer::arm(EventLoop& loop, Duration delay, void* owner, Callback callback) {
  cancel();
  loop_ = &loop;
  owner_ = owner;
  callback_ = callback;
  // Not loop.now(): that stands still within a turn, however long it takes. Ticks round down, hence one more.
  deadline_tick_ = loop.tick_of(EventLoop::Clock::now() + std::max(delay, Duration(0))) + 1;
  loop.link(this);
}

void Timer::cancel() {
  if (!is_armed()) return;
  loop_->unlink(this);
  loop_ = nullptr;
}

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), start_(Clock::now()), now_(start_) {
  GH_CHECK(epoll_.is_open());
}

EventLoop::~EventLoop() = default;

void EventLoop::run() {
  is_stopped_ = false;
  while (!is_stopped_) turn(Duration(60'000));
}

void EventLoop::turn(Duration longest_wait) {
  const int timeout = deferred_.empty() ? wait_milliseconds(longest_wait) : 0;
  const int count = epoll_wait(epoll_.get(), batch_.data(), kBatch, timeout);
  GH_CHECK(count >= 0 || errno == EINTR);
  now_ = Clock::now();
  batch_count_ = std::max(count, 0);
  for (int i = 0; i < batch_count_; ++i) {
    if (auto* watch = static_cast<Watch*>(batch_[i].data.ptr)) watch->callback_(watch->owner_, batch_[i].events);
  }
  batch_count_ = 0;
  fire_timers();
  // A deferred task may defer another: that one waits for the next turn, so that a turn always ends.
  if (deferred_.empty()) return;
  std::vector<std::function<void()>> tasks = std::exchange(deferred_, std::exchange(spare_, {}));
  for (auto& task : tasks) task();
  tasks.clear();
  spare_ = std::move(tasks);
}

std::uint64_t EventLoop::tick_of(Clock::time_point time) const {
  return static_cast<std::uint64_t>((time - start_) / kTick);
}

int EventLoop::wait_milliseconds(Duration longest_wait) const {
  if (armed_ == 0) return static_cast<int>(longest_wait.count());
  std::uint64_t tick = current_tick_ + 1;
  while (!slots_[tick % kSlots] && tick < current_tick_ + kSlots) ++tick;
  const auto due = start_ + kTick * static_cast<std::int64_t>(tick);
  const auto wait = std::chrono::ceil<Duration>(due - Clock::now());
  return static_cast<int>(std::clamp(wait, Duration(0), longest_wait).count());
}

void EventLoop::fire_timers() {
  const std::uint64_t reached = tick_of(now_);
  if (armed_ == 0) {
    current_tick_ = reached;
    return;
  }
  // After a long sleep every slot is visited once at most.
  std::uint64_t tick = std::max(current_tick_ + 1, reached < kSlots ? 0 : reached - kSlots + 1);
  for (; tick <= reached; ++tick) {
    current_tick_ = tick;
    fire_slot(tick % kSlots);
  }
  current_tick_ = std::max(current_tick_, reached);
}

void EventLoop::fire_slot(std::size_t slot) {
  const std::uint64_t reached = tick_of(now_);
  next_to_check_ = slots_[slot];
  while (Timer* timer = next_to_check_) {
    next_to_check_ = timer->next_;
    if (timer->deadline_tick_ > reached) continue;  // a later round of the wheel
    unlink(timer);
    timer->loop_ = nullptr;
    timer->callback_(timer->owner_);
  }
}

void EventLoop::forget(const Watch* watch) {
  for (int i = 0; i < batch_count_; ++i) {
    if (batch_[i].data.ptr == watch) batch_[i].data.ptr = nullptr;
  }
}

void EventLoop::link(Timer* timer) {
  Timer*& head = slots_[timer->deadline_tick_ % kSlots];
  timer->previous_ = nullptr;
  timer->next_ = head;
  if (head) head->previous_ = timer;
  head = timer;
  ++armed_;
}

void EventLoop::unlink(Timer* timer) {
  if (next_to_check_ == timer) next_to_check_ = timer->next_;
  if (timer->previous_) {
    timer->previous_->next_ = timer->next_;
  } else {
    slots_[timer->deadline_tick_ % kSlots] = timer->next_;
  }
  if (timer->next_) timer->next_->previous_ = timer->previous_;
  timer->next_ = timer->previous_ = nullptr;
  --armed_;
}

}  // namespace gatehouse
