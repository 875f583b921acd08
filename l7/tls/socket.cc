#include "l7/tls/socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kAhead = 2'048;  // most hellos are shorter

}  // namespace

TlsSocket::Socket* TlsSocket::socket_of(BIO* bio) { return static_cast<Socket*>(BIO_get_data(bio)); }

int TlsSocket::read_socket(BIO* bio, char* data, int size) {
  Socket* socket = socket_of(bio);
  BIO_clear_retry_flags(bio);
  if (!socket->ahead.empty()) {
    const std::size_t count = std::min(socket->ahead.size(), static_cast<std::size_t>(size));
    std::copy_n(socket->ahead.data(), count, data);
    socket->ahead.erase(0, count);
    if (socket->ahead.empty()) socket->ahead.shrink_to_fit();
    return static_cast<int>(count);
  }
  const ssize_t count = recv(socket->fd.get(), data, static_cast<std::size_t>(size), 0);
  socket->is_drained = count >= 0 ? count > 0 && count < size : errno == EAGAIN;
  socket->is_at_end = count == 0;
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

int TlsSocket::write_socket(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const Socket* socket = socket_of(bio);
  // A session ticket leaves with the first answer, unless that takes its time: the kernel waits 200 ms at
  // most.
  const bool has_time = socket->is_ending || SSL_get_state(socket->ssl) == TLS_ST_SW_SESSION_TICKET;
  const ssize_t count =
      send(socket->fd.get(), data, static_cast<std::size_t>(size), MSG_NOSIGNAL | (has_time ? MSG_MORE : 0));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long TlsSocket::control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return socket_of(bio)->is_at_end ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* TlsSocket::socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse socket");
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, write_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

TlsSocket::TlsSocket(Fd socket, SSL_CTX* context) : socket_{std::move(socket)}, context_(context) {
  SSL_CTX_up_ref(context);
}

// OpenSSL would take the session of a connection that was cut for bad (RFC 2246 said so, RFC 4346 no more).
TlsSocket::~TlsSocket() {
  if (ssl_) SSL_set_shutdown(ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

StreamStatus TlsSocket::begin_when_readable() {
  char block[kAhead];
  const ssize_t count = recv(fd(), block, sizeof block, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return StreamStatus::kBlocked;
  was_cut_ = count <= 0;
  if (count < 0) failure_ = std::strerror(errno);
  if (count <= 0) return count == 0 ? StreamStatus::kClosed : StreamStatus::kFailed;
  socket_.ahead.assign(block, static_cast<std::size_t>(count));
  begin();
  return StreamStatus::kDone;
}

void TlsSocket::begin() {
  ssl_.reset(SSL_new(context_.get()));
  context_.reset();
  BIO* bio = BIO_new(socket_method());
  GH_CHECK(ssl_ && bio);
  BIO_set_data(bio, &socket_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl(), bio, bio);
  socket_.ssl = ssl();
}

StreamStatus TlsSocket::shake_hands() {
  ERR_clear_error();
  return translate(SSL_do_handshake(ssl()));
}

StreamResult TlsSocket::read(char* data, std::size_t size) {
  StreamResult result;
  begin_read();       // the rest of a record is read without a look at the socket
  ERR_clear_error();  // the queue is the thread's: what is left in it would be taken for this connection's
  result.status = translate(SSL_read_ex(ssl(), data, size, &result.bytes));
  describe_read(result, size);
  return result;
}

void TlsSocket::describe_read(StreamResult& result, std::size_t size) const {
  // An answer of TLS itself (KeyUpdate) had no room: reading goes on when there is some.
  result.waits_for_write = result.status == StreamStatus::kBlocked && SSL_want_write(ssl());
  result.is_drained = socket_.is_drained && result.bytes < size && !SSL_has_pending(ssl());
}

StreamResult TlsSocket::write(const char* data, std::size_t size) {
  StreamResult result;
  ERR_clear_error();
  result.status = translate(SSL_write_ex(ssl(), data, size, &result.bytes));
  return result;
}

void TlsSocket::close_output() {
  expect_end();
  ERR_clear_error();
  SSL_shutdown(ssl());
  ERR_clear_error();
  shutdown(fd(), SHUT_WR);
}

StreamStatus TlsSocket::translate(int result) {
  if (result == 1) return StreamStatus::kDone;
  const int saved_errno = errno;
  StreamStatus status = StreamStatus::kFailed;
  switch (SSL_get_error(ssl(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return StreamStatus::kBlocked;
    case SSL_ERROR_ZERO_RETURN:
      status = StreamStatus::kClosed;
      was_cut_ = SSL_in_init(ssl());
      break;
    case SSL_ERROR_SYSCALL:
      was_cut_ = true;
      failure_ = saved_errno ? std::strerror(saved_errno) : "closed without close_notify";
      break;
    default:
      failure_reason_ = ERR_GET_REASON(ERR_peek_error());
      failure_ = "TLS: " + take_openssl_error("unknown error");
  }
  // The error queue is the thread's: what is left in it would be taken for the next connection's.
  ERR_clear_error();
  return status;
}

}  // namespace gatehouse::l7
