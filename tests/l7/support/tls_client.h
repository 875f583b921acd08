// A TLS client, or a TLS server's connection, over a RawSocket on a test's loop.
#pragma once

#include "tests/l7/support/loopback_worker.h"
#include "tests/l7/support/tls.h"

namespace gatehouse::test {

class TlsClient {
 public:
  // `session`: to be resumed; `name`: of the server, empty: none is sent.
  TlsClient(LoopbackWorker& site, SSL_CTX* context, const std::string& name = "a.example",
            SSL_SESSION* session = nullptr)
      : site_(site), end(context), socket(site.connect()) {
    if (!name.empty()) SSL_set_tlsext_host_name(end.ssl(), name.c_str());
    if (session) SSL_set_session(end.ssl(), session);
  }

  // What came is taken, what is to be said is sent.
  void pump() {
    end.give(std::exchange(socket->received(), {}));
    if (const std::string bytes = end.take(); !bytes.empty()) socket->send(bytes);
  }
  bool is_over() { return socket->is_ended() || !end.failure.empty(); }
  // The handshake has ended, well or badly.
  bool connect() {
    site_.until([&] { return pump(), end.is_open || is_over(); });
    return end.is_open;
  }
  Reply next_reply() {
    std::optional<Reply> reply;
    site_.until([&] {
      pump();
      const bool is_last = socket->is_ended();
      reply = take_reply(end.received, false, is_last);
      return reply || is_last || !end.failure.empty();
    });
    return reply.value_or(Reply());
  }
  Reply ask(std::string_view request) {
    if (!connect()) return {};
    end.send(request);
    return next_reply();
  }
  void send(std::string_view bytes) {
    end.send(bytes);
    pump();
  }

 private:
  LoopbackWorker& site_;

 public:
  TlsEnd end;
  std::unique_ptr<RawSocket> socket;
};

}  // namespace gatehouse::test
