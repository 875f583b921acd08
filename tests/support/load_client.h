// A load client: keep-alive connections that send requests at a steady total rate (open loop: a request that
// finds no idle connection waits, and the wait counts as latency) or as fast as answers come (closed loop),
// and beside them new connections of one request each. Everything it sees ends up in its LoadReport. Lives on
// one event loop; it must not be destroyed from inside a callback of its own.
#pragma once

#include <openssl/ssl.h>

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/event_loop.h"
#include "common/result.h"
#include "tests/support/load_connection.h"
#include "tests/support/load_report.h"

namespace gatehouse::test {

struct LoadOptions {
  struct Path {
    std::string path;
    std::uint32_t weight = 1;
  };
  std::vector<Endpoint> targets;  // taken in turn by the connections
  bool uses_tls = false;
  bool verifies = true;
  std::string sni;
  std::string ca_file;  // empty: the system's
  std::size_t connections = 1;
  std::size_t opens_at_once = 0;  // connections that are on their way to their first idling; 0: all
  double rate = 0;                // requests per second in all; 0: closed loop
  bool is_polled = false;         // the owner calls poll() between turns; gaps are a Poisson process's
  std::size_t in_flight = 0;      // of a closed loop: at once, over all connections in turn; 0: one each
  double new_rate = 0;            // connections of one request each, per second, besides
  std::uint64_t requests = 0;     // begin no more than this in all; 0: no end
  std::uint64_t requests_per_connection = 0;  // then close and open again; 0: never
  std::vector<Path> paths;                    // weighted round robin; "/" if none
  std::string host = "localhost";
  std::vector<std::string> headers;  // "Name: value"
  unsigned expected_status = 0;      // 0: any 2xx
  std::uint64_t read_rate = 0;       // bytes per second and connection; 0: unlimited
  Duration timeout{10'000};          // without any progress
  bool is_once = false;              // a connection sends one request and then stays open
  bool resumes = false;              // new connections resume the session of an earlier one
  std::vector<IpAddress> sources;    // taken in turn; none: the kernel's choice
  std::uint16_t source_port_base =
      0;  // connection i has port base + i, its k-th successor base + i + k * connections
};

class LoadClient {
 public:
  using Clock = EventLoop::Clock;

  LoadClient(EventLoop& loop, LoadOptions options);
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;
  ~LoadClient();

  // `on_finished`: nothing is in flight after stop(), or after the last of LoadOptions::requests.
  Status start(std::function<void()> on_finished = {});
  void stop();     // begin nothing more; requests in flight go on
  void poll();     // begins what is due by now; see LoadOptions::is_polled
  void abandon();  // counts what is still in flight as unfinished and closes everything
  LoadReport& report() { return report_; }

 private:
  friend class LoadConnection;
  struct FreeContext {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  struct FreeSession {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };

  // Told by connections.
  void on_idle(LoadConnection& connection);
  void on_ended(LoadConnection& connection, bool at_once);

  static int on_new_session(SSL* ssl, SSL_SESSION* session);

  Status make_tls();
  void open_some();
  void make_requests();
  void open(LoadConnection& connection);
  Endpoint next_source();
  Status start_clock();
  void on_clock(std::uint32_t events);
  void on_sweep();
  void dispatch();
  void send_next(LoadConnection& connection, Clock::time_point since);
  bool may_begin() const;
  void check_finished();

  EventLoop& loop_;
  LoadOptions options_;
  LoadReport report_;
  std::unique_ptr<SSL_CTX, FreeContext> tls_;
  std::unique_ptr<SSL_SESSION, FreeSession> session_;  // the newest
  std::vector<LoadRequest> requests_;
  std::vector<std::size_t> turn_;  // one turn of the weighted round robin over requests_
  std::size_t next_in_turn_ = 0;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::vector<std::unique_ptr<LoadConnection>> singles_;  // of new_rate; gone after their request
  std::deque<LoadConnection*> idle_;
  std::deque<Clock::time_point> due_;  // requests that wait for an idle connection
  std::size_t next_target_ = 0;
  std::uint64_t next_source_ = 0;
  Fd clock_fd_;
  Watch clock_;
  Timer sweep_;
  Clock::time_point started_{};
  std::mt19937_64 random_{1};
  Clock::time_point next_due_{};
  std::size_t in_flight_ = 0;  // requests; kept by the connections
  std::size_t next_to_open_ = 0;
  std::size_t arrived_ = 0;  // connections that are through with their opening
  std::uint64_t begun_ = 0;
  std::uint64_t due_count_ = 0;
  std::uint64_t singles_begun_ = 0;
  bool is_stopping_ = false;
  std::function<void()> on_finished_;
};

}  // namespace gatehouse::test
