// Connections that no request waits for: made ahead of requests, or left behind by one that went elsewhere.
// Those that come about are idle ones like all others.
#include <algorithm>
#include <cerrno>

#include "l7/backend/h1_connection.h"
#include "l7/backend/h2_connection.h"
#include "l7/backend/pool.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::uint32_t kWarmAtOnce = 4;  // in a look
constexpr Duration kFirstWait{1'000};     // after a failure; doubled with each
constexpr Duration kLongestWait{30'000};

}  // namespace

void Pool::keep_up() {
  if (is_look_due()) look();
  if (kept_version_ != version_ && config_.end_when_down) end_stays();
  kept_version_ = version_;
  if (config_.min_idle == 0 || context_.is_draining) return;
  for (Member& member : members_) {
    Backend& backend = *member.backend;
    const bool gets_requests =
        member.weight > 0 && backend.is_healthy() && !backend.is_ejected() && !backend.is_avoided();
    if (gets_requests) backend.warm(config_);
  }
}

// Only a fall ends them: whom a panic sent to a backend that is down stays there.
void Pool::end_stays() {
  for (Member& member : members_) {
    const bool was_down = std::exchange(member.is_down, member.backend->is_down());
    if (member.is_down && !was_down) member.backend->stays().end_all();
  }
}

bool Backend::is_down() const {
  return !is_healthy() || (cell_ && cell_->state.load(std::memory_order_relaxed) == BackendState::kDisabled);
}

void Backend::warm(const config::Pool& pool) {
  if (context_.loop.now() < warm_due_) return;
  const bool is_shared = pool.protocol == "h2";
  if (is_shared) retire_worn(pool);
  std::size_t ready = idle_.size() + warming_.size();
  if (is_shared) {
    ready = static_cast<std::size_t>(std::count_if(
        shared_.begin(), shared_.end(), [&](const auto& each) { return each->has_room(pool.max_streams); }));
  }
  for (std::uint32_t begun = 0; ready < pool.min_idle && begun < kWarmAtOnce; ++ready, ++begun) {
    std::unique_ptr<Stream> stream = connect(pool.limits);
    if (!stream && errno != kFull) note_cold();
    if (!stream) return;
    if (is_shared) {
      add_shared(std::move(stream)).warm(pool);
    } else {
      auto connection = std::make_unique<H1Connection>(context_, *this, std::move(stream));
      connection->identity = tls_.identity();
      keep_connecting(std::move(connection), pool);
    }
  }
}

// A backend that refuses, or ends what was made for it, is asked less and less often. Those that were made
// together fail together: that is one failure.
void Backend::note_cold() {
  context_.board.worker(context_.index).failed_warm_connections.fetch_add(1, std::memory_order_relaxed);
  if (context_.loop.now() < warm_due_) return;
  warm_wait_ = std::clamp(warm_wait_ * 2, kFirstWait, kLongestWait);
  const auto some = static_cast<std::int64_t>(context_.request_ids.next_word() %
                                              static_cast<std::uint64_t>(warm_wait_.count() / 4));
  warm_due_ = context_.loop.now() + warm_wait_ + Duration(some);
}

void Backend::keep_connecting(std::unique_ptr<H1Connection> connection, const config::Pool& pool) {
  connection->go_on_alone(pool);
  warming_.push_back(std::move(connection));
}

void Backend::leave_behind(H1Connection& leased, const config::Pool& pool) {
  std::unique_ptr<H1Connection> connection(&leased);
  count_lease(-1);
  const bool is_wanted = is_member_ && connection->identity == tls_.identity() &&
                         pool.proxy_protocol.empty() && idle_.size() + warming_.size() < pool.max_idle;
  if (is_wanted) return keep_connecting(std::move(connection), pool);
  end(std::move(connection), ConnectionEnd::kUnfinished);
}

void Backend::on_warm(H1Connection& connection) {
  const auto found = find_in(warming_, connection);
  GH_CHECK(found != warming_.end());
  idle_.push_back(std::move(*found));
  warming_.erase(found);
}

void Backend::drop_warming(H1Connection& connection, ConnectionEnd end) {
  const auto found = find_in(warming_, connection);
  GH_CHECK(found != warming_.end());
  if (end == ConnectionEnd::kBackend) {
    note_cold();
    avoid();
  }
  this->end(std::move(*found), end);
  warming_.erase(found);
}

}  // namespace gatehouse::l7
