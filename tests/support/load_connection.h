// One client connection of a load client: socket, TLS, one request at a time, and a verdict on every byte of
// the answer. It never retries: whatever happens to a request in flight is reported, with its kind. Owned by
// a LoadClient, which it tells when it becomes idle and when it ended; it is reopened in place.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/event_loop.h"
#include "tests/support/http_head.h"
#include "tests/support/load_report.h"

namespace gatehouse::test {

class LoadClient;

// A request that is sent again and again, written once.
struct LoadRequest {
  std::string keep_alive;   // the bytes on the wire
  std::string last;         // the same with `Connection: close`
  bool is_pattern = false;  // the body must be byte_pattern.h's, of this length
  std::uint64_t length = 0;
};

class LoadConnection {
 public:
  using Clock = EventLoop::Clock;

  explicit LoadConnection(LoadClient& client) : client_(client) {}
  LoadConnection(const LoadConnection&) = delete;
  LoadConnection& operator=(const LoadConnection&) = delete;
  ~LoadConnection() { close(); }

  void open(const Endpoint& target, const Endpoint& source);  // on_idle or on_ended follows
  // REQUIRES: is_idle(). `since`: when the request was due. `is_last`: ask for the connection's end.
  void send(const LoadRequest& request, Clock::time_point since, bool is_last);
  void close();
  void check_deadline(Clock::time_point now, Duration timeout);

  bool is_idle() const { return state_ == State::kIdle; }
  bool is_closed() const { return state_ == State::kClosed; }
  bool is_awaiting() const { return state_ == State::kAwaiting; }
  std::uint64_t requests() const { return requests_; }  // answered on this connection

  // The LoadClient's marks.
  bool is_queued = false;  // stands in its queue of idle connections
  bool is_single = false;  // opened for one request, which was due at:
  Clock::time_point due{};

 private:
  enum class State { kClosed, kConnecting, kHandshaking, kIdle, kAwaiting, kLingering };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  bool connect(const Endpoint& target, const Endpoint& source);
  void on_ready(std::uint32_t events);
  void on_connect();
  void handshake();
  void established();
  void flush();
  void on_pause_over();
  void receive(bool to_the_end);
  ssize_t read_some(char* bytes, std::size_t size);
  bool must_pause();
  void take(std::string_view bytes);
  bool take_head(std::string_view& bytes);
  void take_body(std::string_view bytes);
  void take_data(std::string_view data);
  void complete();
  void ended(int error, std::string_view how);
  void fail(LoadReport::Kind kind, std::string detail);

  LoadClient& client_;
  State state_ = State::kClosed;
  Fd socket_;
  Watch watch_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  Timer pause_;  // until the read rate allows more
  std::uint64_t requests_ = 0;
  Clock::time_point last_progress_{};

  const LoadRequest* request_ = nullptr;
  std::string_view unsent_;
  Clock::time_point since_{};
  std::uint64_t received_ = 0;  // bytes of this answer, head included

  HttpHead head_;
  std::string partial_head_;
  bool has_head_ = false;
  bool says_close_ = false;
  bool until_close_ = false;
  unsigned status_ = 0;
  std::uint64_t body_expected_ = 0;
  std::uint64_t body_received_ = 0;
  ChunkedReader chunks_;
  std::string via_;  // of the last answer on this connection
  std::string backend_;
};

}  // namespace gatehouse::test
