#include "l7/client_connection.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/log.h"
#include "common/scramble.h"
#include "l7/http/h1_client.h"
#include "l7/http/h2_client.h"
#include "l7/tls/context.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kLingerTime{2'000};

}  // namespace

ClientConnection::ClientConnection(WorkerContext& context, std::string listener, std::unique_ptr<Stream> stream, Arrival arrival)
    : context_(context), listener_name_(std::move(listener)), arrival_(std::move(arrival)), wire_(context.buffers, std::move(stream)),
      address_(to_string(arrival_.client.address)), born_ms_(static_cast<std::uint32_t>(board_time(context.loop.now()))),
      deadline_(context.loop, *this) {
  take_runtime();
  count_connection(1);
  if (!listener_->is_probe) context_.board.worker(context_.index).accepted.fetch_add(1, std::memory_order_relaxed);
  deadline_.set(listener_->tls ? listener_->config.handshake_timeout : listener_->config.header_timeout);
  watch_.start<&ClientConnection::on_event>(context.loop, wire_.fd(), EventLoop::kEdge, this);
}

ClientConnection::~ClientConnection() { count_connection(-1); }

// Those that came together do not leave together.
bool ClientConnection::is_older_than(Duration limit) const {
  const std::uint64_t tenth = static_cast<std::uint64_t>(limit.count() / 10);
  const std::uint64_t chance = scramble(born_ms_ ^ static_cast<std::uint64_t>(wire_.fd()) << 32) % (2 * tenth + 1);
  const std::uint32_t age = static_cast<std::uint32_t>(board_time(context_.loop.now())) - born_ms_;
  return age > static_cast<std::uint64_t>(limit.count()) - tenth + chance;
}

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
      case Phase::kPreface: has_changed = read_preface(); break;
      case Phase::kServing: has_changed = take(codec_->advance()); break;
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
      if (wire_.protocol() == "h2") return speak_h2();
      return listener_->config.h2c && !listener_->tls ? enter(Phase::kPreface) : speak_h1();
    default:
      log_debug("{}: no TLS connection: {}", to_string(arrival_.client), wire_.failure());
      leave();
      return false;
  }
}

// A client of HTTP/2 says so in its first bytes (RFC 9113 §3.4), which are no request of HTTP/1.
bool ClientConnection::read_preface() {
  static constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  const std::string_view bytes = wire_.input().view();
  const std::size_t size = std::min(bytes.size(), kPreface.size());
  if (bytes.substr(0, size) != kPreface.substr(0, size)) return speak_h1();
  if (size == kPreface.size()) return speak_h2();
  if (wire_.fill()) return true;
  if (wire_.is_at_end() || wire_.has_failed()) leave();
  return false;
}

bool ClientConnection::speak_h1() {
  codec_ = std::make_unique<H1Client>(context_, *this);
  return enter(Phase::kServing);
}

bool ClientConnection::speak_h2() {
  codec_ = std::make_unique<H2Client>(context_, *this);
  return enter(Phase::kServing);
}

void ClientConnection::act(Codec::Next next) {
  if (phase_ == Phase::kServing && take(next)) advance();
}

bool ClientConnection::take(Codec::Next next) {
  switch (next) {
    case Codec::Next::kGo: return true;
    case Codec::Next::kWait: return false;
    case Codec::Next::kClose:
    case Codec::Next::kLinger:
      must_linger_ = next == Codec::Next::kLinger;
      return enter(Phase::kClosing);
    case Codec::Next::kBreakOff: reset(); return false;
    case Codec::Next::kLost: leave(); return false;
  }
  return false;
}

void ClientConnection::break_off() {
  codec_->abort("broken off");
  reset();
}

// So that no client takes what it has for the whole.
void ClientConnection::reset() {
  const linger now{1, 0};
  setsockopt(wire_.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  leave();
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
    case Phase::kServing:
      if (take(codec_->on_deadline())) advance();
      return;
    case Phase::kGone: return;
    default: return leave();
  }
}

void ClientConnection::drain() {
  if (phase_ == Phase::kServing) return codec_->drain();
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
