// A backend that speaks TLS: answers every request on every connection with 200 and "ok".
#pragma once

#include <map>

#include "tests/l7/support/raw_socket.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::test {

// A server's context with one certificate.
inline SslContextPtr server_context(const Issued& issued) {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  const BioPtr bio = bio_over(issued.key);
  const PrivateKeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  GH_CHECK(SSL_CTX_use_certificate(context.get(), issued.certificate()) == 1 &&
           SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  const unsigned char session_context[] = "test";
  SSL_CTX_set_session_id_context(context.get(), session_context, sizeof session_context);
  return context;
}

class TlsBackend {
 public:
  TlsBackend(EventLoop& loop, SslContextPtr context)
      : context(std::move(context)), server(loop, [this](RawSocket& connection) { on_bytes(connection); }) {}
  const Endpoint& address() const { return server.address(); }

  SslContextPtr context;
  RawServer server;
  std::size_t handshakes = 0, resumed = 0, requests = 0;
  std::string server_name;  // that the last client sent
  std::string client_name;  // common name of its certificate
  std::string protocol;     // by ALPN

 private:
  void on_bytes(RawSocket& connection) {
    std::unique_ptr<TlsEnd>& end = ends_[&connection];
    if (!end) end = std::make_unique<TlsEnd>(context.get(), true);
    const bool was_open = end->is_open;
    end->give(std::exchange(connection.received(), {}));
    if (end->is_open && !was_open) note_handshake(*end);
    for (std::size_t at; (at = end->received.find("\r\n\r\n")) != std::string::npos; ++requests) {
      end->received.erase(0, at + 4);
      end->send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    if (const std::string bytes = end->take(); !bytes.empty()) connection.send(bytes);
  }
  void note_handshake(const TlsEnd& end) {
    ++handshakes;
    resumed += SSL_session_reused(end.ssl()) == 1;
    const char* name = SSL_get_servername(end.ssl(), TLSEXT_NAMETYPE_host_name);
    server_name = name ? name : "";
    client_name = common_name_of(SSL_get0_peer_certificate(end.ssl()));
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(end.ssl(), &chosen, &size);
    protocol.assign(reinterpret_cast<const char*>(chosen), size);
  }

  std::map<RawSocket*, std::unique_ptr<TlsEnd>> ends_;
};

}  // namespace gatehouse::test
