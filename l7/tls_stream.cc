#include "l7/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

// What OpenSSL reads and writes through: the socket without signals, and the memory of whether a read emptied it, which
// saves the read that would only say so.
struct SocketBio {
  Fd socket;
  bool is_drained = false;
  bool is_at_end = false;
};

SocketBio* bio_socket(BIO* bio) { return static_cast<SocketBio*>(BIO_get_data(bio)); }

int read_socket(BIO* bio, char* data, int size) {
  SocketBio* state = bio_socket(bio);
  BIO_clear_retry_flags(bio);
  const ssize_t count = recv(state->socket.get(), data, static_cast<std::size_t>(size), 0);
  state->is_drained = count >= 0 ? count > 0 && count < size : errno == EAGAIN;
  state->is_at_end = count == 0;
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

int write_socket(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t count = send(bio_socket(bio)->socket.get(), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return bio_socket(bio)->is_at_end ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "gatehouse socket");
    BIO_meth_set_read(made, read_socket);
    BIO_meth_set_write(made, write_socket);
    BIO_meth_set_ctrl(made, control_socket);
    return made;
  }();
  return method;
}

class TlsStream final : public Stream {
 public:
  TlsStream(Fd socket, SSL_CTX* context) : socket_{std::move(socket)}, ssl_(SSL_new(context)) {
    BIO* bio = BIO_new(socket_method());
    GH_CHECK(ssl_ && bio);
    BIO_set_data(bio, &socket_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_accept_state(ssl_);
  }
  ~TlsStream() override { SSL_free(ssl_); }

  int fd() const override { return socket_.socket.get(); }
  StreamStatus open() override {
    ERR_clear_error();
    return translate(SSL_do_handshake(ssl_));
  }

  StreamResult read(char* data, std::size_t size) override {
    StreamResult result;
    socket_.is_drained = false;  // the rest of a record is read without a look at the socket
    ERR_clear_error();  // the queue is the thread's: what is left in it would be taken for this connection's
    result.status = translate(SSL_read_ex(ssl_, data, size, &result.bytes));
    // An answer of TLS itself (KeyUpdate) had no room: reading goes on when there is some.
    result.waits_for_write = result.status == StreamStatus::kBlocked && SSL_want_write(ssl_);
    result.is_drained = socket_.is_drained && result.bytes < size && !SSL_has_pending(ssl_);
    return result;
  }
  StreamResult write(const char* data, std::size_t size) override {
    StreamResult result;
    ERR_clear_error();
    result.status = translate(SSL_write_ex(ssl_, data, size, &result.bytes));
    return result;
  }

  void close_output() override {
    ERR_clear_error();
    SSL_shutdown(ssl_);
    ERR_clear_error();
    shutdown(fd(), SHUT_WR);
  }
  std::string failure() const override { return failure_; }
  TlsDetails tls() const override {
    const unsigned char* protocol = nullptr;
    unsigned length = 0;
    SSL_get0_alpn_selected(ssl_, &protocol, &length);
    const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
    return {SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), name ? name : "",
            {reinterpret_cast<const char*>(protocol), length}};
  }

 private:
  StreamStatus translate(int result) {
    if (result == 1) return StreamStatus::kDone;
    const int saved_errno = errno;
    StreamStatus status = StreamStatus::kFailed;
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE:
        return StreamStatus::kBlocked;
      case SSL_ERROR_ZERO_RETURN:
        status = StreamStatus::kClosed;
        break;
      case SSL_ERROR_SYSCALL:
        failure_ = saved_errno ? std::strerror(saved_errno) : "closed without close_notify";
        break;
      default: {
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        failure_ = std::string("TLS: ") + (reason ? reason : "unknown error");
      }
    }
    // The error queue is the thread's: what is left in it would be taken for the next connection's.
    ERR_clear_error();
    return status;
  }

  SocketBio socket_;
  SSL* ssl_;
  std::string failure_;
};

}  // namespace

std::unique_ptr<Stream> make_tls_stream(Fd socket, ssl_ctx_st* context) {
  return std::make_unique<TlsStream>(std::move(socket), context);
}

}  // namespace gatehouse::l7
