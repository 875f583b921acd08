// Where the probes of an L4 host end, and who answers: node by node. A probe carries its node as a mark; in a network namespace
// of its own the kernel hands that mark on to the accepted connection, and so the target knows which node was asked for. That
// needs root: elsewhere PrivateNetwork is not ready.
#pragma once

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <deque>
#include <fstream>
#include <set>

#include "bpf/abi.h"
#include "common/address.h"
#include "common/check.h"
#include "common/event_loop.h"
#include "common/fd.h"

namespace gatehouse::l4 {

// This process is in a network of its own, with a loopback interface and nothing else, until the end of the
// scope.
class PrivateNetwork {
 public:
  PrivateNetwork() : before_(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
    is_private_ = before_.is_open() && unshare(CLONE_NEWNET) == 0;
    if (!is_private_) return;
    const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    std::ofstream accept_mark("/proc/sys/net/ipv4/tcp_fwmark_accept");
    accept_mark << "1" << std::flush;
    is_ready_ = ioctl(any.get(), SIOCSIFFLAGS, &loopback) == 0 && accept_mark.good();
  }
  ~PrivateNetwork() {
    if (is_private_) GH_CHECK(setns(before_.get(), CLONE_NEWNET) == 0);
  }
  bool is_ready() const { return is_ready_; }

 private:
  Fd before_;
  bool is_private_ = false;
  bool is_ready_ = false;
};

// Where all probes end. Nodes that are not in `answering` hang up, those in `silent` say nothing.
class ProbeTarget {
 public:
  // `open`: connections that are kept for their client to read, the oldest being closed for the next.
  explicit ProbeTarget(EventLoop& loop, std::size_t open = 64)
      : most_open_(open), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_storage storage;
    socklen_t length = to_sockaddr({*IpAddress::parse("127.0.0.1"), 0}, storage);
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0 &&
             listen(socket_.get(), 4096) == 0);
    GH_CHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0);
    port = Endpoint::from_sockaddr(storage).port;
    watch_.start<&ProbeTarget::on_ready>(loop, socket_.get(), EPOLLIN, this);
  }
  std::uint16_t port = 0;
  std::set<std::uint16_t> answering, silent;
  std::string answer = "HTTP/1.1 200 OK\r\n\r\n";

 private:
  void on_ready(std::uint32_t) {
    for (;;) {
      Fd accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      std::uint32_t mark = 0;
      socklen_t length = sizeof mark;
      getsockopt(accepted.get(), SOL_SOCKET, SO_MARK, &mark, &length);
      const auto node = static_cast<std::uint16_t>(mark & 0xffff);
      GH_CHECK((mark & GH_PROBE_MASK) == static_cast<std::uint32_t>(GH_PROBE_MARK));
      if (!answering.contains(node) && !silent.contains(node)) continue;
      if (answering.contains(node)) send(accepted.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      open_.push_back(std::move(accepted));
      if (open_.size() > most_open_) open_.pop_front();  // long read by then
    }
  }
  std::size_t most_open_;
  Fd socket_;
  Watch watch_;
  std::deque<Fd> open_;
};

}  // namespace gatehouse::l4
