// TLS towards backends.
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "common/check.h"
#include "l7/tls/client_context.h"
#include "l7/tls/session_slot.h"
#include "l7/tls/socket.h"
#include "l7/tls/stream.h"

namespace gatehouse::l7 {
namespace {

int sessions_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

class TlsClientStream final : public Stream {
 public:
  TlsClientStream(Fd socket, const TlsClientContext& context, const Endpoint& backend, TlsSessions* sessions)
      : expected_name_(context.expected_name(backend)), socket_(std::move(socket), context.context()) {
    socket_.begin();
    SSL* ssl = socket_.ssl();
    SSL_set_connect_state(ssl);
    context.prepare(ssl, backend);
    set_sessions_of(ssl, sessions);
    if (SSL_SESSION* session = sessions ? sessions->take() : nullptr) {
      SSL_set_session(ssl, session);
      SSL_SESSION_free(session);
    }
  }

  int fd() const override { return socket_.fd(); }

  StreamStatus open() override {
    if (!is_connected_) {
      const StreamStatus status = connect();
      if (status != StreamStatus::kDone) return status;
    }
    const StreamStatus status = socket_.shake_hands();
    // A server that goes away within the handshake has failed, however politely it did.
    return status == StreamStatus::kClosed ? StreamStatus::kFailed : status;
  }

  StreamResult read(char* data, std::size_t size) override { return socket_.read(data, size); }
  StreamResult write(const char* data, std::size_t size) override { return socket_.write(data, size); }
  void close_output() override { socket_.close_output(); }

  std::string failure() const override {
    if (connect_error_) return std::strerror(connect_error_);
    const long verdict = SSL_get_verify_result(socket_.ssl());
    const bool is_refused = verdict != X509_V_OK && SSL_get_verify_mode(socket_.ssl()) != SSL_VERIFY_NONE;
    if (is_refused) {
      return std::string("TLS: certificate of \"") + expected_name_ +
             "\" refused: " + X509_verify_cert_error_string(verdict);
    }
    return socket_.failure().empty() ? "TLS: closed within the handshake" : socket_.failure();
  }
  std::string_view protocol() const override {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(socket_.ssl(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
  }

 private:
  StreamStatus connect() {
    socklen_t length = sizeof connect_error_;
    if (getsockopt(fd(), SOL_SOCKET, SO_ERROR, &connect_error_, &length) != 0) connect_error_ = errno;
    if (connect_error_) return StreamStatus::kFailed;
    sockaddr_storage storage;
    length = sizeof storage;
    if (getpeername(fd(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return StreamStatus::kBlocked;
    is_connected_ = true;
    return StreamStatus::kDone;
  }

  std::string expected_name_;
  TlsSocket socket_;
  int connect_error_ = 0;
  bool is_connected_ = false;
};

}  // namespace

TlsSessions* sessions_of(const SSL* ssl) {
  return static_cast<TlsSessions*>(SSL_get_ex_data(ssl, sessions_index()));
}
void set_sessions_of(SSL* ssl, TlsSessions* sessions) {
  GH_CHECK(SSL_set_ex_data(ssl, sessions_index(), sessions) == 1);
}

std::unique_ptr<Stream> make_tls_client_stream(Fd socket, const TlsClientContext& context,
                                               const Endpoint& backend, TlsSessions* sessions) {
  return std::make_unique<TlsClientStream>(std::move(socket), context, backend, sessions);
}

}  // namespace gatehouse::l7
