// gatehouse-perf-relay PORT BACKEND_PORT: the floor of any user-space proxy. One thread, one epoll, a backend
// connection per client connection; what is read on one side is written on the other, two reads and two
// writes per request, nothing looked at. It keeps no back-pressure beyond EAGAIN and is no product: it says
// what the kernel alone costs.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

constexpr int kBatch = 256;
constexpr std::size_t kReadBytes = 64 * 1024;

struct Side {
  int fd = -1;
  Side* other = nullptr;
  std::string unsent;  // what the other side's peer sent and this one's kernel did not take yet
  bool is_over = false;
};

int epoll_fd = -1;
std::vector<Side*> ended;  // pairs, freed at the end of the turn

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void watch(int fd, Side* side) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = side;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

void accept_all(int listener, int backend_port) {
  for (int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK); fd >= 0;
       fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) {
    auto* pair = new Side[2];
    pair[0].fd = fd;
    pair[1].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const sockaddr_in address = loopback(backend_port);
    connect(pair[1].fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    for (int i = 0; i < 2; ++i) {
      pair[i].other = &pair[1 - i];
      watch(pair[i].fd, &pair[i]);
    }
  }
}

void end(Side& side) {
  if (side.is_over) return;
  side.is_over = side.other->is_over = true;
  close(side.fd);
  close(side.other->fd);
  ended.push_back(&side < side.other ? &side : side.other);
}

bool flush(Side& side) {
  while (!side.unsent.empty()) {
    const ssize_t sent = send(side.fd, side.unsent.data(), side.unsent.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == ENOTCONN ? false : (end(side), false);
    side.unsent.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

// From one side to the other, until the kernel has nothing more (a short read) or takes nothing more.
void move(Side& from) {
  static char scratch[kReadBytes];
  Side& to = *from.other;
  while (!from.is_over && flush(to)) {
    const ssize_t count = recv(from.fd, scratch, sizeof scratch, 0);
    if (count < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (count <= 0) return end(from);
    const ssize_t sent = send(to.fd, scratch, static_cast<std::size_t>(count), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return end(from);
    if (sent < count) to.unsent.assign(scratch + std::max<ssize_t>(sent, 0), scratch + count);
    if (count < static_cast<ssize_t>(sizeof scratch)) return;
  }
}

void on_event(Side& side, std::uint32_t events) {
  if (side.is_over) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) move(side);
  if (!side.is_over && !side.unsent.empty() && (events & EPOLLOUT)) move(*side.other);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s PORT BACKEND_PORT\n", argv[0]);
    return 2;
  }
  const sockaddr_in address = loopback(std::atoi(argv[1]));
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      listen(listener, 4096) != 0) {
    std::perror("listen");
    return 1;
  }
  epoll_fd = epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
  while (true) {
    epoll_event batch[kBatch];
    const int count = epoll_wait(epoll_fd, batch, kBatch, -1);
    for (int i = 0; i < count; ++i) {
      auto* side = static_cast<Side*>(batch[i].data.ptr);
      side ? on_event(*side, batch[i].events) : accept_all(listener, std::atoi(argv[2]));
    }
    for (Side* pair : ended) delete[] pair;
    ended.clear();
  }
}
