// An HTTP/2 load client over TLS on nghttp2: a few connections of many streams each, a new request as soon as
// one is answered (closed loop). It verifies status, length and every byte of each answer; what is wrong goes
// into its LoadReport. A connection that ends is not opened again: that is a failure here. The codec is the
// library's, none of ours.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/event_loop.h"
#include "common/result.h"
#include "tests/support/load_report.h"

namespace gatehouse::perf {

class H2Client {
 public:
  struct Options {
    Endpoint target;
    std::string name;  // SNI and :authority
    std::string ca_file;
    std::uint64_t body_bytes = 0;
    std::vector<std::string> headers;  // "Name: value"
    std::size_t connections = 8;
    std::size_t streams = 32;
  };

  H2Client(EventLoop& loop, Options options);
  ~H2Client();
  Status start();
  void poll() {}
  void abandon();  // begins nothing more and closes
  test::LoadReport& report() { return report_; }

 private:
  class Connection;
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  EventLoop& loop_;
  Options options_;
  test::LoadReport report_;
  std::string path_;
  std::vector<std::pair<std::string, std::string>> fields_;
  std::unique_ptr<SSL_CTX, FreeContext> tls_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace gatehouse::perf
