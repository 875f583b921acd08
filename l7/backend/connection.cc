#include "l7/backend/connection.h"

#include <algorithm>

#include "l7/backend/backend.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::uint32_t kLots = 201;  // of an age: from 900 to 1,100 thousandths

}  // namespace

BackendConnection::BackendConnection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream)
    : loop_(context.loop),
      owner_(backend),
      born_(context.loop.now()),
      lot_(static_cast<std::uint32_t>(context.request_ids.next_word() % kLots)),
      count_(backend.connection_count()),
      wire_(context.buffers, std::move(stream)) {
  watch_.start<&BackendConnection::on_event>(loop_, wire_.fd(), EventLoop::kEdge, this);
}

BackendConnection::~BackendConnection() {
  if (count_) count_->fetch_sub(1);
}

Duration BackendConnection::age_limit(const config::Pool& pool) const {
  return Duration(pool.max_age.count() * (1000 - kLots / 2 + lot_) / 1000);
}

std::optional<ConnectionEnd> BackendConnection::wear(const config::Pool& pool) const {
  if (pool.max_requests > 0 && requests_ >= pool.max_requests) return ConnectionEnd::kRequests;
  if (pool.max_age.count() > 0 && loop_.now() - born_ >= age_limit(pool)) return ConnectionEnd::kAge;
  return std::nullopt;
}

void BackendConnection::plan_rest(const config::Pool& pool) {
  idle_time_ = pool.idle_timeout;
  old_at_ = pool.max_age.count() > 0 ? born_ + age_limit(pool) : EventLoop::Clock::time_point::max();
}

void BackendConnection::rest() {
  rests_since_ = loop_.now();
  Duration time = requests_ > 0 ? owner_.idle_habit().bound(idle_time_, rests_since_) : idle_time_;
  rest_end_ = ConnectionEnd::kIdle;
  if (old_at_ < loop_.now() + time) {
    time = std::max(std::chrono::ceil<Duration>(old_at_ - loop_.now()), Duration(0));
    rest_end_ = ConnectionEnd::kAge;
  }
  idle_timer_.arm<&BackendConnection::on_idle_timeout>(loop_, time, this);
}

void BackendConnection::expect_open(Duration timeout) {
  idle_timer_.arm<&BackendConnection::on_idle_timeout>(loop_, timeout, this);
}

void BackendConnection::detach() {
  watch_.stop();
  idle_timer_.cancel();
}

void BackendConnection::on_event(std::uint32_t events) {
  wire_.note(events);
  on_ready();
}

}  // namespace gatehouse::l7
