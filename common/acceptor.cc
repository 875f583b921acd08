// Level-triggered: what is left in the queue is there in the next turn.
#include "common/acceptor.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace gatehouse {

Result<Fd> listen_tcp(const Endpoint& address, int backlog) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(address, storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 || listen(socket.get(), backlog) != 0)
    return system_error("cannot listen on " + to_string(address));
  return socket;
}

Acceptor::Acceptor(EventLoop& loop, Fd socket, std::function<void(Fd)> take)
    : loop_(loop), socket_(std::move(socket)), take_(std::move(take)) {
  resume();
}

void Acceptor::resume() { watch_.start<&Acceptor::on_ready>(loop_, socket_.get(), EPOLLIN, this); }

void Acceptor::on_ready(std::uint32_t) {
  for (;;) {
    Fd client(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (client.is_open()) {
      take_(std::move(client));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      watch_.stop();
      pause_.arm<&Acceptor::resume>(loop_, kPause, this);
    }
    return;
  }
}

}  // namespace gatehouse
