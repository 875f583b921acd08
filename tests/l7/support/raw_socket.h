// One end of a TCP connection that a test holds in its own hands: it sends any bytes, keeps what comes, and
// stops reading, half-closes or resets on demand. It never blocks; the loop moves it. RawServer is the
// listening kind: a backend whose every byte the test decides.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/check.h"
#include "common/event_loop.h"
#include "common/fd.h"

namespace gatehouse::test {

class RawSocket {
 public:
  using OnBytes = std::function<void(RawSocket&)>;

  RawSocket(EventLoop& loop, Fd socket, OnBytes on_bytes = {})
      : socket_(std::move(socket)), on_bytes_(std::move(on_bytes)) {
    const int on = 1;
    setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch_.start<&RawSocket::on_event>(loop, socket_.get(), EventLoop::kEdge, this);
  }
  // `receive_buffer`: bytes that the kernel keeps for a test that does not read; 0: its choice.
  RawSocket(EventLoop& loop, const Endpoint& to, int receive_buffer = 0)
      : RawSocket(loop, dial(to, receive_buffer)) {}

  void send(std::string_view bytes) {
    unsent_.append(bytes);
    flush();
  }
  void end_output() {
    ends_output_ = true;
    flush();
  }
  void discard_unsent() {
    unsent_.clear();
    sent_ = 0;
  }
  void set_reading(bool is_reading) {
    is_reading_ = is_reading;
    if (is_reading_) read();
  }
  void close() {
    watch_.stop();
    socket_.reset();
    is_ended_ = true;
  }
  void reset() {
    const linger now{1, 0};
    setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  void set_on_bytes(OnBytes on_bytes) { on_bytes_ = std::move(on_bytes); }

  std::string& received() { return received_; }  // a test may take bytes off its front
  std::size_t unsent() const { return unsent_.size() - sent_; }
  bool is_ended() const { return is_ended_; }  // closed by the peer, in whatever way, or by us
  bool is_reset() const { return is_reset_; }

 private:
  static Fd dial(const Endpoint& to, int receive_buffer) {
    sockaddr_storage storage;
    const socklen_t length = to_sockaddr(to, storage);
    Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    GH_CHECK(socket.is_open());
    if (receive_buffer)
      setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const int status = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length);
    GH_CHECK(status == 0 || errno == EINPROGRESS || errno == ECONNREFUSED);
    return socket;
  }

  void on_event(std::uint32_t) {
    flush();
    if (is_reading_) read();
  }
  void flush() {
    while (unsent() > 0 && socket_.is_open()) {
      const ssize_t count = ::send(socket_.get(), unsent_.data() + sent_, unsent(), MSG_NOSIGNAL);
      if (count < 0) return;  // blocked; or lost, which reading tells
      sent_ += static_cast<std::size_t>(count);
    }
    unsent_.clear();
    sent_ = 0;
    if (ends_output_ && socket_.is_open()) shutdown(socket_.get(), SHUT_WR);
  }
  void read() {
    static char scratch[64 * 1024];
    const std::size_t before = received_.size();
    ssize_t count = -1;
    while (socket_.is_open() && (count = recv(socket_.get(), scratch, sizeof scratch, 0)) > 0) {
      received_.append(scratch, static_cast<std::size_t>(count));
    }
    if (!socket_.is_open()) return;
    const bool is_lost = count < 0 && errno != EAGAIN;
    is_reset_ |= is_lost && errno == ECONNRESET;
    is_ended_ |= is_lost || count == 0;
    if (is_lost) watch_.stop();  // after a mere end of its bytes the peer may still take ours
    if (on_bytes_ && received_.size() > before) on_bytes_(*this);
  }

  Fd socket_;
  OnBytes on_bytes_;
  Watch watch_;
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::string received_;
  bool is_reading_ = true;
  bool ends_output_ = false;
  bool is_ended_ = false;
  bool is_reset_ = false;
};

// A listening socket on a port of the kernel's choice.
inline Fd listen_on_loopback(Endpoint& address, int backlog = 128) {
  sockaddr_storage storage;
  socklen_t length = to_sockaddr(*Endpoint::parse("127.0.0.1:0"), storage);
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  GH_CHECK(bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
  GH_CHECK(listen(socket.get(), backlog) == 0);
  GH_CHECK(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) == 0);
  address = Endpoint::from_sockaddr(storage);
  return socket;
}

// An address where connections are refused: bound, so that nobody else gets it, and not listened on.
class RefusingAddress {
 public:
  RefusingAddress() {
    Fd listening = listen_on_loopback(address_);
    listening.reset();
    sockaddr_storage storage;
    const socklen_t length = to_sockaddr(address_, storage);
    socket_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
  }
  const Endpoint& address() const { return address_; }

 private:
  Endpoint address_;
  Fd socket_;
};

class RawServer {
 public:
  // `receive_buffer` as with RawSocket.
  RawServer(EventLoop& loop, RawSocket::OnBytes on_bytes, int receive_buffer = 0)
      : loop_(loop), on_bytes_(std::move(on_bytes)) {
    socket_ = listen_on_loopback(address_);
    if (receive_buffer)
      setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    watch_.start<&RawServer::on_ready>(loop, socket_.get(), EPOLLIN, this);
  }
  const Endpoint& address() const { return address_; }
  std::vector<std::unique_ptr<RawSocket>> connections;  // all that ever were

 private:
  void on_ready(std::uint32_t) {
    while (true) {
      Fd accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!accepted.is_open()) return;
      connections.push_back(std::make_unique<RawSocket>(loop_, std::move(accepted), on_bytes_));
    }
  }

  EventLoop& loop_;
  RawSocket::OnBytes on_bytes_;
  Endpoint address_;
  Fd socket_;
  Watch watch_;
};

}  // namespace gatehouse::test
