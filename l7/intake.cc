#include "l7/intake.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "l7/listener.h"
#include "l7/tcp/client_hello.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kLingerTime{2'000};
constexpr int kReadsPerTurn = 4;  // of a client that sends on after its refusal
constexpr std::uint8_t kDecodeError = 50, kUnrecognizedName = 112;  // alerts (RFC 8446 §6)

}  // namespace

Intake::Intake(WorkerContext& context, const Runtime::Listener& listener, Fd socket, Arrival arrival)
    : context_(context),
      listener_name_(listener.config.name),
      socket_(std::move(socket)),
      arrival_(std::move(arrival)),
      phase_(listener.config.proxy_protocol ? Phase::kProxyHeader : Phase::kClientHello),
      deadline_(context.loop, *this) {
  deadline_.set(listener.config.header_timeout);
  watch_.start<&Intake::on_event>(context.loop, socket_.get(), EventLoop::kEdge, this);
}

Intake::~Intake() = default;

void Intake::on_event(std::uint32_t events) {
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) is_ended_ = true;
  advance();
}

void Intake::advance() {
  bool has_changed = true;
  while (has_changed) {
    const Runtime::Listener* listener = context_.runtime->find_listener(listener_name_);
    if (!listener) leave();  // taken out of the config meanwhile
    switch (phase_) {
      case Phase::kProxyHeader:
        has_changed = read_proxy_header(*listener);
        break;
      case Phase::kClientHello:
        has_changed = read_client_hello(*listener);
        break;
      case Phase::kLingering:
        has_changed = discard();
        break;
      case Phase::kGone:
        return;
    }
  }
}

// What has come so far, without taking it.
std::string_view Intake::peek(Buffer& scratch, std::size_t most) {
  const std::size_t room = std::min(scratch.room(), most);
  const ssize_t count = recv(socket_.get(), scratch.tail(), room, MSG_PEEK);
  return {scratch.tail(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

bool Intake::read_proxy_header(const Runtime::Listener& listener) {
  Buffer scratch(context_.buffers);
  const std::string_view bytes = peek(scratch, kLongestProxyHeader);
  ProxyHeader header;
  const ProxyResult result = parse_proxy_header(bytes, header);
  if (result.status == ProxyStatus::kMalformed) return refuse_header(result.reason);
  if (result.status == ProxyStatus::kNeedMore) return is_ended_ && leave();
  if (header.names_client) take_header(header);
  // The header alone: what follows is for a TLS library, or not for us at all.
  const ssize_t taken = recv(socket_.get(), scratch.tail(), result.length, 0);
  if (taken != static_cast<ssize_t>(result.length)) return leave();
  return after_proxy_header(listener);
}

void Intake::take_header(const ProxyHeader& header) {
  arrival_.client = header.source;
  arrival_.introduction = std::make_unique<Introduction>();
  arrival_.introduction->destination = header.destination;
  arrival_.introduction->server_name = header.authority;
}

bool Intake::after_proxy_header(const Runtime::Listener& listener) {
  if (!arrival_.seat.take_client(arrival_.client.address, listener.config.max_connections_per_client)) {
    context_.refusals.add(listener_name_, arrival_.client, "has as many connections as one client may");
    reset_on_close(socket_.get());
    return leave();
  }
  if (listener.mode != Runtime::Mode::kPassthrough) return hand_over(listener, listener.pool);
  phase_ = Phase::kClientHello;
  return true;
}

bool Intake::read_client_hello(const Runtime::Listener& listener) {
  Buffer scratch(context_.buffers);
  const std::string_view bytes = peek(scratch, tcp::kLongestHelloBytes);
  tcp::ClientHello hello;
  switch (hello.read(bytes)) {
    case tcp::ClientHello::Status::kMalformed:
      return refuse_hello(kDecodeError, hello.reason());
    case tcp::ClientHello::Status::kNeedMore:
      if (bytes.size() == tcp::kLongestHelloBytes)
        return refuse_hello(kDecodeError, "a ClientHello that is too long");
      return is_ended_ && leave();
    case tcp::ClientHello::Status::kDone:
      break;
  }
  if (!arrival_.introduction) arrival_.introduction = std::make_unique<Introduction>();
  arrival_.introduction->server_name = hello.server_name();
  arrival_.introduction->alpn = hello.first_protocol();
  Pool* pool = context_.runtime->pool_for(listener, hello.server_name());
  if (pool) return hand_over(listener, pool);
  return refuse_hello(kUnrecognizedName,
                      "no route for server name \"" + std::string(hello.server_name()) + "\"");
}

bool Intake::hand_over(const Runtime::Listener& listener, Pool* pool) {
  watch_.stop();
  open_connection(context_, listener, std::move(socket_), std::move(arrival_), pool);
  return leave();
}

// A fatal alert, in clear as everything before the handshake is. What came is taken first: unread bytes would
// turn our end into a reset, which takes the alert with it.
bool Intake::refuse_hello(std::uint8_t alert, std::string_view why) {
  note_refusal(context_.board.worker(context_.index).refused_hellos, why);
  discard();
  if (phase_ == Phase::kGone) return false;
  const char record[] = {21, 3, 3, 0, 2, 2, static_cast<char>(alert)};
  send(socket_.get(), record, sizeof record, MSG_NOSIGNAL);
  shutdown(socket_.get(), SHUT_WR);
  deadline_.set(kLingerTime);
  phase_ = Phase::kLingering;
  return true;
}

bool Intake::refuse_header(std::string_view why) {
  note_refusal(context_.board.worker(context_.index).refused_headers, why);
  reset_on_close(socket_.get());
  return leave();
}

void Intake::note_refusal(std::atomic<std::uint64_t>& counter, std::string_view why) {
  counter.fetch_add(1, std::memory_order_relaxed);
  context_.refusals.add(listener_name_, arrival_.client, why);
}

// Until the peer has closed too, or its time is up.
bool Intake::discard() {
  Buffer scratch(context_.buffers);
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t count = recv(socket_.get(), scratch.tail(), scratch.room(), 0);
    if (count > 0) continue;
    return count < 0 && errno == EAGAIN ? false : leave();
  }
  context_.intakes.resume_later(*this);
  return false;
}

void Intake::on_deadline() {
  WorkerCell& cell = context_.board.worker(context_.index);
  if (phase_ == Phase::kProxyHeader)
    note_refusal(cell.refused_headers, "its PROXY header did not come in time");
  if (phase_ == Phase::kClientHello)
    note_refusal(cell.refused_hellos, "its ClientHello did not come in time");
  leave();
}

bool Intake::leave() {
  if (phase_ == Phase::kGone) return false;
  phase_ = Phase::kGone;
  watch_.stop();
  deadline_.clear();
  socket_.reset();
  context_.intakes.retire(*this);
  return false;
}

}  // namespace gatehouse::l7
