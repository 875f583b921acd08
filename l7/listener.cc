#include "l7/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "l7/client_connection.h"
#include "l7/tls/context.h"
#include "l7/tls/stream.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr int kBatch = 64;             // accepted in one turn: open connections have their turn too
constexpr Duration kPause{100};

}  // namespace

Listener::Listener(WorkerContext& context, std::string name, std::string key, Fd socket)
    : context_(context), name_(std::move(name)), key_(std::move(key)), socket_(std::move(socket)) {
  watch_.start<&Listener::on_ready>(context.loop, socket_.get(), EPOLLIN, this);
}

void Listener::on_ready(std::uint32_t) {
  for (int i = 0; i < kBatch && accept_one(); ++i) {
  }
}

void Listener::accept_all() {
  while (accept_one()) {
  }
}

bool Listener::accept_one() {
  sockaddr_storage peer;
  socklen_t length = sizeof peer;
  Fd socket(accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket.is_open()) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause();
    return errno == ECONNABORTED || errno == EINTR;
  }
  const Runtime::Listener* listener = context_.runtime ? context_.runtime->find_listener(name_) : nullptr;
  if (!listener) return true;  // taken out of the config: the connection is closed
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto stream = listener->tls ? make_tls_stream(std::move(socket), *listener->tls, context_.board.worker(context_.index).handshakes) : make_tcp_stream(std::move(socket), false);
  context_.adopt(std::make_unique<ClientConnection>(context_, name_, std::move(stream), Endpoint::from_sockaddr(peer)));
  return true;
}

// Out of descriptors: what is waiting stays in the kernel's queue until some connection ends.
void Listener::pause() {
  log_warn("listener {}: cannot accept: {}; trying again in {}", name_, std::strerror(errno), to_string(kPause));
  watch_.stop();
  resume_.arm<&Listener::on_resume>(context_.loop, kPause, this);
}

void Listener::on_resume() {
  if (!watch_.is_active()) watch_.start<&Listener::on_ready>(context_.loop, socket_.get(), EPOLLIN, this);
}

}  // namespace gatehouse::l7
