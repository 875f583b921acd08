// The HTTP/1.1 server that plays the backends in every test and benchmark: many listening addresses,
// keep-alive, pipelining, request bodies of any framing. It is a peer of the product, not a part of it, and
// shares no parser with it.
//
//   GET  /healthz       200 "ok\n", or 503 while it is unhealthy
//   any  /echo          method, target, fields and body of the request as JSON
//   POST anything else  {"length", "sha256"} of the body as JSON
//   GET  /bytes/N       N bytes of byte_pattern.h      /chunked/N  the same in chunks
//   GET  /delay/MS      "ok\n" after MS milliseconds   /status/N   an answer of status N
//   GET  /close         "ok\n" and Connection: close
//   GET  /abort/N       promises 2N+1 bytes, sends N and closes; /abort closes without an answer
//
// The same below /api and /programs, for routes by path. HEAD is GET without the body. Every answer says `X-Backend: <name>`. Anything else is 404.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse::test {

struct HttpServerOptions {
  std::string name = "backend";
  std::vector<Endpoint> addresses;  // port 0: the kernel's choice
  std::string unhealthy_file;       // unhealthy while this file exists
};

class HttpServer {
 public:
  HttpServer(EventLoop& loop, HttpServerOptions options);
  ~HttpServer();

  Status start();
  const std::vector<Endpoint>& addresses() const { return addresses_; }  // as bound
  void toggle_health() { is_healthy_ = !is_healthy_; }
  bool is_healthy() const;
  std::uint64_t requests() const { return requests_; }
  std::size_t connections() const { return connections_.size(); }

 private:
  class Connection;
  struct Listener {
    HttpServer* server;
    Fd socket;
    Watch watch;
    void on_ready(std::uint32_t events);
  };

  void adopt(Fd socket);
  void retire(Connection* connection);

  EventLoop& loop_;
  HttpServerOptions options_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Endpoint> addresses_;
  std::uint64_t requests_ = 0;
  bool is_healthy_ = true;
};

}  // namespace gatehouse::test
