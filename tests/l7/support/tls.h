// TLS for tests: a listener's certificates as a config and its files, and a peer whose every byte goes
// through memory.
#pragma once

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>

#include "common/certificate.h"
#include "common/check.h"
#include "common/config/model.h"
#include "common/openssl_ptr.h"
#include "l7/tls/files.h"
#include "tests/support/authority.h"

namespace gatehouse::test {

// Names `issued` in the listener's config and puts its texts to the files.
inline void add_certificate(config::Listener& listener, l7::TlsFiles& files, const Issued& issued,
                            const std::string& ocsp = "") {
  const std::string name = listener.name + std::to_string(listener.certificates.size());
  listener.certificates.push_back({name + ".chain", name + ".key", ocsp.empty() ? "" : name + ".ocsp"});
  files.put(name + ".chain", l7::describe_chain(issued.chain));
  files.put(name + ".key", {issued.key});
  if (!ocsp.empty()) files.put(name + ".ocsp", {ocsp});
}

// One end of a TLS connection. What it wants to send is taken by take(), what came for it is given to it by
// give().
class TlsEnd {
 public:
  explicit TlsEnd(SSL_CTX* context, bool is_server = false) : ssl_(SSL_new(context)) {
    GH_CHECK(ssl_);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  }
  // Without a word of goodbye, but its session stays good.
  ~TlsEnd() { SSL_set_shutdown(ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  SSL* ssl() const { return ssl_.get(); }

  void give(std::string_view bytes) {
    if (!bytes.empty())
      GH_CHECK(BIO_write(SSL_get_rbio(ssl()), bytes.data(), static_cast<int>(bytes.size())) > 0);
    advance();
  }
  std::string take() {
    char* data = nullptr;
    BIO* out = SSL_get_wbio(ssl());
    const long size = BIO_get_mem_data(out, &data);
    std::string bytes(data, static_cast<std::size_t>(size));
    BIO_reset(out);
    return bytes;
  }
  // Handshake, then whatever can be read into `received`.
  void advance() {
    ERR_clear_error();
    if (!is_open) {
      const int result = SSL_do_handshake(ssl());
      is_open = result == 1;
      const int error = SSL_get_error(ssl(), result);
      if (!is_open && error != SSL_ERROR_WANT_READ) failure = take_openssl_error("closed");
    }
    char block[4096];
    std::size_t count = 0;
    while (is_open && SSL_read_ex(ssl(), block, sizeof block, &count) == 1) received.append(block, count);
    if (is_open && SSL_get_error(ssl(), 0) == SSL_ERROR_SSL) failure = take_openssl_error("closed");
    is_ended |= (SSL_get_shutdown(ssl()) & SSL_RECEIVED_SHUTDOWN) != 0;
    ERR_clear_error();
  }
  void send(std::string_view bytes) {
    std::size_t written = 0;
    GH_CHECK(SSL_write_ex(ssl(), bytes.data(), bytes.size(), &written) == 1 && written == bytes.size());
  }

  std::string received;
  std::string failure;  // of the handshake, or an alert after it
  bool is_open = false;
  bool is_ended = false;

 private:
  SslPtr ssl_;
};

// Until neither has anything to say.
inline void talk(TlsEnd& left, TlsEnd& right) {
  left.advance();
  for (std::string bytes = left.take(), answer; !bytes.empty(); bytes = left.take()) {
    right.give(bytes);
    answer = right.take();
    left.give(answer);
  }
}

// A client's context: TLS 1.2 and 1.3, no verification, sessions kept by whoever asks for them.
inline SslContextPtr client_context(int max_version = TLS1_3_VERSION) {
  SslContextPtr context(SSL_CTX_new(TLS_client_method()));
  SSL_CTX_set_max_proto_version(context.get(), max_version);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  return context;
}

using SessionPtr = std::unique_ptr<SSL_SESSION, OpensslFree<SSL_SESSION_free>>;

inline SessionPtr session_of(const TlsEnd& end) { return SessionPtr(SSL_get1_session(end.ssl())); }

}  // namespace gatehouse::test
