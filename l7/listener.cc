#include "l7/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "common/log.h"
#include "l7/client_connection.h"
#include "l7/intake.h"
#include "l7/tcp/relay.h"
#include "l7/tls/context.h"
#include "l7/tls/stream.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr int kBatch = 64;  // accepted in one turn: open connections have their turn too
constexpr Duration kPause{100};

}  // namespace

void open_connection(WorkerContext& context, const Runtime::Listener& listener, Fd socket, Arrival arrival,
                     Pool* pool) {
  auto stream = listener.tls ? make_tls_stream(std::move(socket), *listener.tls, context.board.worker(context.index).handshakes)
                             : make_tcp_stream(std::move(socket), false);
  if (listener.mode == Runtime::Mode::kHttp) {
    context.adopt(std::make_unique<ClientConnection>(context, listener.config.name, std::move(stream),
                                                     std::move(arrival)));
  } else {
    context.relays.adopt(
        std::make_unique<tcp::Relay>(context, listener, std::move(stream), std::move(arrival), *pool));
  }
}

Listener::Listener(WorkerContext& context, std::string name, std::string key, Fd socket)
    : context_(context),
      name_(std::move(name)),
      key_(std::move(key)),
      count_(context.admission.count_of(name_)),
      socket_(std::move(socket)) {
  watch_.start<&Listener::on_ready>(context.loop, socket_.get(), EPOLLIN, this);
}

Listener::~Listener() {
  if (is_waiting_) context_.admission.forget(*this);
}

void Listener::on_ready(std::uint32_t) { accept_up_to(kBatch); }
void Listener::accept_all() { accept_up_to(std::numeric_limits<int>::max()); }

void Listener::resume() {
  is_waiting_ = false;
  const Fd probe(fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0));
  if (probe.is_open()) context_.admission.note_descriptor(probe.get());
  accept_up_to(kBatch);
  if (!is_waiting_ && !resume_.is_armed()) on_resume();
}

void Listener::accept_up_to(int most) {
  const Runtime::Listener* listener = context_.runtime ? context_.runtime->find_listener(name_) : nullptr;
  for (int i = 0; i < most; ++i) {
    if (!has_room(listener)) return wait_for_room();
    if (!accept_one(listener)) return;
  }
}

// Probes are always answered: a node that is full is not dead.
bool Listener::has_room(const Runtime::Listener* listener) const {
  return !listener || listener->is_probe ||
         context_.admission.has_room(count_, listener->config.max_connections);
}

void Listener::wait_for_room() {
  if (std::exchange(is_waiting_, true)) return;
  watch_.stop();
  context_.admission.wait(*this);
}

bool Listener::accept_one(const Runtime::Listener* listener) {
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  Fd socket(
      accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause();
    return errno == ECONNABORTED || errno == EINTR;
  }
  context_.admission.note_descriptor(socket.get());
  if (listener)
    take(*listener, std::move(socket),
         Endpoint::from_sockaddr(peer));  // else it was taken out of the config: closed
  return true;
}

void Listener::take(const Runtime::Listener& listener, Fd socket, const Endpoint& peer) {
  const config::Listener& config = listener.config;
  Arrival arrival{peer, Seat(count_), nullptr};
  if (config.proxy_protocol) {
    const bool is_trusted =
        std::any_of(config.trusted_proxies.begin(), config.trusted_proxies.end(),
                    [&peer](const IpPrefix& proxy) { return proxy.contains(peer.address); });
    if (!is_trusted) {
      context_.board.worker(context_.index).refused_headers.fetch_add(1, std::memory_order_relaxed);
      context_.refusals.add(name_, peer, "not one of the trusted_proxies");
      return reset_on_close(socket.get());
    }
  } else if (!arrival.seat.take_client(peer.address, config.max_connections_per_client)) {
    context_.refusals.add(name_, peer, "has as many connections as one client may");
    return reset_on_close(socket.get());
  }
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (Intake::is_needed(listener)) {
    context_.intakes.adopt(
        std::make_unique<Intake>(context_, listener, std::move(socket), std::move(arrival)));
  } else {
    open_connection(context_, listener, std::move(socket), std::move(arrival), listener.pool);
  }
}

// Out of descriptors: what is waiting stays in the kernel's queue until some connection ends.
void Listener::pause() {
  log_warn("listener {}: cannot accept: {}; trying again in {}", name_, std::strerror(errno),
           to_string(kPause));
  watch_.stop();
  resume_.arm<&Listener::on_resume>(context_.loop, kPause, this);
}

void Listener::on_resume() {
  if (!watch_.is_active()) watch_.start<&Listener::on_ready>(context_.loop, socket_.get(), EPOLLIN, this);
}

}  // namespace gatehouse::l7
