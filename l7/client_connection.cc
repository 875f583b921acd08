#include "l7/client_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/log.h"
#include "l7/http/h1_parser.h"
#include "l7/tls/context.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kLingerTime{2'000};
constexpr std::size_t kMostUnread = BufferPool::kSmall / 2;  // of answers, before further requests are taken

}  // namespace

ClientConnection::ClientConnection(WorkerContext& context, std::string listener, std::unique_ptr<Stream> stream, Arrival arrival)
    : context_(context), listener_name_(std::move(listener)), arrival_(std::move(arrival)), wire_(context.buffers, std::move(stream)),
      address_(to_string(arrival_.client.address)), deadline_(context.loop, *this), exchange_(context, *this) {
  take_runtime();
  count_connection(1);
  if (!listener_->is_probe) context_.board.worker(context_.index).accepted.fetch_add(1, std::memory_order_relaxed);
  deadline_.set(listener_->tls ? listener_->config.handshake_timeout : listener_->config.header_timeout);
  watch_.start<&ClientConnection::on_event>(context.loop, wire_.fd(), EventLoop::kEdge, this);
}

ClientConnection::~ClientConnection() { count_connection(-1); }

// Probes are not clients: a node without clients must be seen to have none.
void ClientConnection::count_connection(int change) {
  if (listener_->is_probe) return;
  context_.board.worker(context_.index).connections.fetch_add(static_cast<std::uint64_t>(change), std::memory_order_relaxed);
}

// A connection whose listener is gone from the config ends with the snapshot that it knows.
void ClientConnection::take_runtime() {
  if (runtime_ == context_.runtime) return;
  const Runtime::Listener* listener = context_.runtime->find_listener(listener_name_);
  if (!listener && listener_) return;
  GH_CHECK(listener);
  runtime_ = context_.runtime;
  listener_ = listener;
  const auto& trusted = listener_->config.trusted_proxies;
  is_trusted_ = std::any_of(trusted.begin(), trusted.end(), [this](const IpPrefix& proxy) { return proxy.contains(arrival_.client.address); });
}

void ClientConnection::on_event(std::uint32_t events) {
  wire_.note(events);
  advance();
}

void ClientConnection::advance() {
  bool has_changed = true;
  while (has_changed) {
    switch (phase_) {
      case Phase::kHandshake: has_changed = shake_hands(); break;
      case Phase::kRequest: has_changed = read_request(); break;
      case Phase::kExchange: has_changed = run_exchange(); break;
      case Phase::kClosing: has_changed = finish_closing(); break;
      case Phase::kLingering: has_changed = discard_rest(); break;
      case Phase::kGone: return;
    }
  }
}

bool ClientConnection::enter(Phase phase) {
  phase_ = phase;
  return true;
}

bool ClientConnection::shake_hands() {
  const bool is_beginning = wire_.stream().begins_handshake();
  if (is_beginning && !context_.handshakes.admit(*this)) return false;
  const StreamStatus status = wire_.open();
  if (is_beginning && !wire_.stream().begins_handshake()) context_.handshakes.spend();
  switch (status) {
    case StreamStatus::kBlocked: return false;
    case StreamStatus::kDone:
      deadline_.set(listener_->config.header_timeout);
      return enter(Phase::kRequest);
    default:
      log_debug("{}: no TLS connection: {}", to_string(arrival_.client), wire_.failure());
      leave();
      return false;
  }
}

// A client that pipelines and does not read is read no further.
bool ClientConnection::must_wait_for_output() {
  if (wire_.output().size() > kMostUnread) wire_.flush();
  if (wire_.output().size() <= kMostUnread || wire_.has_failed()) return false;
  deadline_.set(listener_->config.idle_timeout);
  return true;
}

bool ClientConnection::read_request() {
  if (must_wait_for_output()) return false;
  Buffer& input = wire_.input();
  take_runtime();
  for (;;) {
    if (!input.is_empty()) {
      const http::ParseResult result = http::parse_request(input.view(), listener_->limits, scanned_, context_.request);
      if (result.status == http::ParseStatus::kDone) {
        scanned_ = 0;
        has_begun_head_ = false;
        deadline_.clear();
        phase_ = Phase::kExchange;
        return take(exchange_.start(result.length));
      }
      if (result.status != http::ParseStatus::kNeedMore) return refuse(http::response_status(result.status), result.reason);
    }
    if (wire_.fill() || (!input.is_empty() && input.room() == 0 && input.grow())) continue;
    return wait_for_request();
  }
}

bool ClientConnection::wait_for_request() {
  wire_.flush();
  if (wire_.is_at_end() || wire_.has_failed()) {
    must_linger_ = false;
    return enter(Phase::kClosing);
  }
  if (wire_.input().is_empty()) {
    // The first request of a connection is on its way, and must come as soon as its header would have to.
    if (exchange_.has_served() && context_.is_draining) return enter(Phase::kClosing);
    if (exchange_.has_served()) deadline_.set(listener_->config.idle_timeout);
  } else if (!has_begun_head_) {
    has_begun_head_ = true;
    deadline_.set(listener_->config.header_timeout);
  }
  return false;
}

bool ClientConnection::run_exchange() {
  if (wire_.is_hung_up()) {
    exchange_.abort("the client closed the connection");
    leave();
    return false;
  }
  return take(exchange_.run());
}

bool ClientConnection::take(Exchange::Outcome outcome) {
  switch (outcome) {
    case Exchange::Outcome::kWait:
      wire_.flush();  // answers before this one do not wait with it
      return false;
    case Exchange::Outcome::kAbort: break_off(); return false;
    case Exchange::Outcome::kDone: break;
  }
  wire_.input().prefer_large(false);
  wire_.output().prefer_large(false);
  if (exchange_.is_keep_alive()) return enter(Phase::kRequest);
  must_linger_ = exchange_.has_unread_body();
  return enter(Phase::kClosing);
}

// A reset, so that no client takes what it has for the whole.
void ClientConnection::break_off() {
  exchange_.abort("broken off");
  const linger now{1, 0};
  setsockopt(wire_.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  leave();
}

bool ClientConnection::refuse(std::uint16_t status, std::string_view why) {
  exchange_.refuse(status, why);
  must_linger_ = true;
  return enter(Phase::kClosing);
}

bool ClientConnection::finish_closing() {
  wire_.stream().expect_end();
  wire_.flush();
  if (!wire_.output().is_empty() && !wire_.has_write_failed()) {
    deadline_.set(listener_->config.idle_timeout);
    return false;
  }
  if (!wire_.has_failed()) wire_.close_output();
  // A node that leaves takes the way of the client's acknowledgements with it: what has been written must have arrived.
  const bool must_arrive = context_.is_draining && !listener_->is_probe;
  if ((must_linger_ || must_arrive) && !wire_.has_failed() && !wire_.is_at_end()) {
    deadline_.set(must_arrive ? listener_->config.idle_timeout : kLingerTime);
    return enter(Phase::kLingering);
  }
  leave();
  return false;
}

// Bytes that arrive after the close would reset the connection and take the answer with them (RFC 9112 §9.6).
bool ClientConnection::discard_rest() {
  do {
    wire_.input().release();
  } while (wire_.fill());
  if (wire_.is_at_end() || wire_.has_failed()) leave();
  return false;
}

void ClientConnection::on_deadline() {
  switch (phase_) {
    case Phase::kRequest:
      if (has_begun_head_) {
        refuse(408, "the header section did not come in time");
      } else {
        must_linger_ = false;
        phase_ = Phase::kClosing;
      }
      return advance();
    case Phase::kExchange:
    case Phase::kGone:
      return;
    default:
      return leave();
  }
}

void ClientConnection::drain() {
  if (phase_ == Phase::kRequest) return advance();
  int unsent = 0;
  const bool has_arrived = phase_ == Phase::kLingering && !must_linger_ && ioctl(wire_.fd(), SIOCOUTQ, &unsent) == 0 && unsent == 0;
  if (has_arrived) leave();
}

void ClientConnection::leave() {
  if (phase_ == Phase::kGone) return;
  phase_ = Phase::kGone;
  watch_.stop();
  deadline_.clear();
  context_.retire(*this);
}

}  // namespace gatehouse::l7
