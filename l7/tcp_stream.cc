#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "l7/stream.h"

namespace gatehouse::l7 {
namespace {

class TcpStream final : public Stream {
 public:
  TcpStream(Fd socket, bool is_connecting) : socket_(std::move(socket)), is_connecting_(is_connecting) {}

  int fd() const override { return socket_.get(); }

  StreamStatus open() override {
    if (!is_connecting_) return StreamStatus::kDone;
    socklen_t length = sizeof error_;
    if (getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error_, &length) != 0) error_ = errno;
    if (error_) return StreamStatus::kFailed;
    sockaddr_storage storage;
    length = sizeof storage;
    if (getpeername(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return StreamStatus::kBlocked;
    is_connecting_ = false;
    return StreamStatus::kDone;
  }

  StreamResult read(char* data, std::size_t size) override {
    const ssize_t count = recv(socket_.get(), data, size, 0);
    if (count < 0) return failed();
    if (count == 0) return {StreamStatus::kClosed};
    return {StreamStatus::kDone, static_cast<std::size_t>(count), static_cast<std::size_t>(count) < size};
  }

  StreamResult write(const char* data, std::size_t size) override {
    const ssize_t count = send(socket_.get(), data, size, MSG_NOSIGNAL | (is_ending_ ? MSG_MORE : 0));
    if (count < 0) return failed();
    return {StreamStatus::kDone, static_cast<std::size_t>(count)};
  }

  void expect_end() override { is_ending_ = true; }
  void close_output() override { shutdown(socket_.get(), SHUT_WR); }
  std::string failure() const override { return std::strerror(error_); }

 private:
  StreamResult failed() {
    if (errno == EAGAIN || errno == EINTR) return {StreamStatus::kBlocked};
    error_ = errno;
    StreamResult result{StreamStatus::kFailed};
    result.is_reset = error_ == ECONNRESET;
    return result;
  }

  Fd socket_;
  bool is_connecting_;
  bool is_ending_ = false;
  int error_ = 0;
};

}  // namespace

std::unique_ptr<Stream> make_tcp_stream(Fd socket, bool is_connecting) {
  return std::make_unique<TcpStream>(std::move(socket), is_connecting);
}

void reset_on_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace gatehouse::l7
