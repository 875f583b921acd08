// How a relay begins and ends; how bytes move is in pump.cc.
#include "l7/tcp/relay.h"

#include <cerrno>
#include <cstring>

#include "l7/backend/hash_policy.h"
#include "l7/backend/pool.h"
#include "l7/worker_context.h"

namespace gatehouse::l7::tcp {

Relay::Relay(WorkerContext& context, const Runtime::Listener& listener, std::unique_ptr<Stream> stream,
             Arrival arrival, Pool& pool)
    : context_(context),
      client_(context.buffers, std::move(stream)),
      arrival_(std::move(arrival)),
      runtime_(context.runtime),
      pool_(&pool),
      is_clear_(!listener.tls),
      idle_timeout_(listener.config.idle_timeout),
      deadline_(context.loop, *this),
      started_(EventLoop::Clock::now()),
      listener_name_(listener.config.name),
      pool_name_(pool.config().name) {
  WorkerCell& cell = context.board.worker(context.index);
  cell.connections.fetch_add(1, std::memory_order_relaxed);
  cell.accepted.fetch_add(1, std::memory_order_relaxed);
  cell.relays.fetch_add(1, std::memory_order_relaxed);
  deadline_.set(listener.config.header_timeout);
  client_watch_.start<&Relay::on_client_event>(context.loop, client_.fd(), EventLoop::kEdge, this);
}

Relay::~Relay() {
  if (phase_ != Phase::kGone) {
    error_ = "the worker ended";
    break_off();
    drop_backend();
    write_log();
  }
  context_.board.worker(context_.index).connections.fetch_sub(1, std::memory_order_relaxed);
}

void Relay::on_client_event(std::uint32_t events) {
  client_.note(events);
  advance();
}

void Relay::on_backend_event(std::uint32_t events) {
  backend_->note(events);
  advance();
}

void Relay::advance() {
  bool has_changed = true;
  while (has_changed) {
    switch (phase_) {
      case Phase::kHandshake:
        has_changed = shake_hands();
        break;
      case Phase::kChoose:
        has_changed = choose_backend();
        break;
      case Phase::kConnect:
        has_changed = connect();
        break;
      case Phase::kRelay:
        has_changed = relay();
        break;
      case Phase::kGone:
        return;
    }
  }
}

bool Relay::shake_hands() {
  switch (client_.open()) {
    case StreamStatus::kBlocked:
      return false;
    case StreamStatus::kDone:
      break;
    default:
      return end("no TLS connection: " + client_.failure());
  }
  phase_ = Phase::kChoose;
  return true;
}

bool Relay::choose_backend() {
  const std::size_t attempts = attempts_;
  const auto& by = pool_->config().hash;  // there is nothing else to look at
  Wish wish{{tried_.data(), attempts}, nullptr, std::nullopt};
  if (by && by->client) wish.hash = hash_of(arrival_.client.address);
  chosen_ = attempts < kMaxAttempts ? pool_->choose(wish) : nullptr;
  holds_.add(chosen_);
  if (!chosen_) {
    count_failure();
    return end(attempts == 0 ? "no healthy backend in pool " + pool_name_ : std::string(error_));
  }
  Fd socket = chosen_->dial();
  if (!socket.is_open()) {
    const int code = errno;
    const std::string why = chosen_->why_unreached(std::strerror(code));
    return is_shortage(code) ? count_failure(), end(why) : try_another(why);
  }
  chosen_->count_request();
  chosen_->count_lease(1);
  backend_.emplace(context_.buffers, make_tcp_stream(std::move(socket), true));
  backend_watch_.start<&Relay::on_backend_event>(context_.loop, backend_->fd(), EventLoop::kEdge, this);
  const config::Pool& config = pool_->config();
  connect_expires_ = context_.loop.now() + config.connect_timeout;
  const bool is_hurried = config.connect_attempt_delay.count() > 0 && attempts_ + 1u < kMaxAttempts;
  deadline_.set(is_hurried ? std::min(config.connect_attempt_delay, config.connect_timeout) : config.connect_timeout);
  phase_ = Phase::kConnect;
  return false;
}

void Relay::count_failure() {
  context_.board.worker(context_.index).failed_relays.fetch_add(1, std::memory_order_relaxed);
}

// Until then nothing is read of the client: what it sends waits in the kernel, for whichever backend it will
// be.
bool Relay::connect() {
  if (client_.is_hung_up()) return end("the client left before a backend was reached");
  switch (backend_->open()) {
    case StreamStatus::kBlocked:
      return false;
    case StreamStatus::kDone:
      return begin_relaying();
    default:
      return try_another(chosen_->why_unreached(backend_->failure()));
  }
}

bool Relay::try_another(std::string_view why) {
  error_ = why;
  pool_->note_failure(*chosen_);
  chosen_->avoid();
  tried_[attempts_++] = chosen_;
  drop_backend();
  phase_ = Phase::kChoose;
  return true;
}

bool Relay::begin_relaying() {
  error_.clear();
  pool_->note_success(*chosen_);
  if (pool_->proxy_version() != ProxyVersion::kNone) {
    char header[kMostProxyHeader];
    const std::size_t size = write_proxy_header(pool_->proxy_version(), arrival_, client_, header);
    backend_->output().append({header, size});
  }
  if (pool_->config().end_when_down) stay_.join<&Relay::on_backend_down>(chosen_->stays(), this);
  // A connection may live for days; the config that it began with does not.
  pool_ = nullptr;
  runtime_.reset();
  deadline_.set(idle_timeout_);
  phase_ = Phase::kRelay;
  return true;
}

void Relay::on_deadline() {
  switch (phase_) {
    case Phase::kHandshake:
      end("the TLS handshake did not come to its end in time");
      break;
    case Phase::kConnect:
      on_slow_connect();
      break;
    case Phase::kRelay:
      end("nothing moved for " + to_string(idle_timeout_));
      break;
    default:
      break;
  }
}

// Another one is tried before the whole time is over, if there is one.
void Relay::on_slow_connect() {
  const auto left = std::chrono::ceil<Duration>(connect_expires_ - context_.loop.now());
  if (left <= Duration(0)) {
    try_another("no connection to " + to_string(chosen_->address()) + " within " + to_string(pool_->config().connect_timeout));
    return advance();
  }
  tried_[attempts_] = chosen_;
  if (!pool_->choose(Wish{{tried_.data(), attempts_ + std::size_t{1}}, nullptr, std::nullopt})) return deadline_.set(left);
  context_.board.worker(context_.index).slow_connects.fetch_add(1, std::memory_order_relaxed);
  error_ = "no connection to " + to_string(chosen_->address()) + " yet";
  ++attempts_;
  chosen_->avoid();
  drop_backend();
  phase_ = Phase::kChoose;
  advance();
}

void Relay::on_backend_down() {
  context_.board.worker(context_.index).ended_with_backend.fetch_add(1, std::memory_order_relaxed);
  end("the backend is down or disabled");
}

// Unless both directions came to their ends, both sides see a reset: an end would say that there was no more.
bool Relay::end(std::string_view reason) {
  if (phase_ == Phase::kGone) return false;
  error_ = reason;
  if (!to_backend_.is_done || !to_client_.is_done) break_off();
  write_log();
  phase_ = Phase::kGone;
  to_backend_.is_done = to_client_.is_done = true;
  drop_backend();
  client_watch_.stop();
  deadline_.clear();
  give_back(to_backend_.pipe);
  give_back(to_client_.pipe);
  context_.relays.retire(*this);
  return false;
}

void Relay::break_off() {
  reset_on_close(client_.fd());
  if (backend_) reset_on_close(backend_->fd());
}

void Relay::drop_backend() {
  backend_watch_.stop();
  stay_.leave();
  if (backend_) chosen_->count_lease(-1);
  backend_.reset();
}

void Relay::write_log() const {
  if (!context_.access_log.is_on()) return;
  const std::string client = to_string(arrival_.client.address);
  const std::string backend = chosen_ ? to_string(chosen_->address()) : "";
  RelayRecord record;
  record.time = context_.clock.timestamp();
  record.client = client;
  record.listener = listener_name_;
  if (const Introduction* said = arrival_.introduction.get()) {
    record.server_name = said->server_name;
    record.alpn = said->alpn;
  }
  record.pool = pool_name_;
  record.backend = backend;
  record.node = context_.node;
  record.worker = context_.index;
  record.reason = error_;
  record.bytes_in = to_backend_.bytes;
  record.bytes_out = to_client_.bytes;
  record.duration_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Clock::now() - started_).count());
  context_.access_log.add_relay(record);
}

}  // namespace gatehouse::l7::tcp
