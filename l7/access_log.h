// The access log: one JSON object and line per exchange, or per connection that was relayed. Lines are gathered in memory and written once per turn of the
// loop, each write a whole number of lines, to a file opened for appending: workers share it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/event_loop.h"
#include "common/fd.h"
#include "l7/request_id.h"

namespace gatehouse::l7 {

struct AccessRecord {
  std::string_view time;
  std::string_view request_id;
  std::string_view client;
  std::string_view method;
  std::string_view host;
  std::string_view path;
  std::string_view route;
  std::string_view pool;
  std::string_view backend;
  std::string_view node;
  std::string_view error;        // empty: none
  std::string_view reason;       // why we refused it, in a word; empty: we did not
  std::uint32_t worker = 0;
  std::uint16_t status = 0;      // 0: the client got none
  std::uint32_t attempts = 0;    // tries of backends
  bool is_hedged = false;        // two of them at once
  std::uint64_t duration_us = 0;
  std::uint64_t queued_ms = 0;   // of that, in front of its pool
  std::uint64_t bytes = 0;       // of the response body
};

// Of a connection that was passed through.
struct RelayRecord {
  std::string_view time;
  std::string_view client;
  std::string_view listener;
  std::string_view server_name;
  std::string_view alpn;
  std::string_view pool;
  std::string_view backend;
  std::string_view node;
  std::string_view reason;       // why it ended; empty: both sides were done
  std::uint32_t worker = 0;
  std::uint64_t duration_us = 0;
  std::uint64_t bytes_in = 0;    // of the client
  std::uint64_t bytes_out = 0;   // to the client
};

class AccessLog {
 public:
  // `random` draws samples.
  AccessLog(EventLoop& loop, RequestIds& random);
  ~AccessLog() { flush(); }
  void set_file(Fd file) { file_ = std::move(file); }
  // The share of what went well that gets a line, from 0 to 1.
  void set_sample(double share);
  bool is_on() const { return file_.is_open(); }
  void add(const AccessRecord& record);
  void add_relay(const RelayRecord& record);
  void flush();

 private:
  bool is_drawn() { return random_.next_word() >> 32 < draw_below_; }
  void begin_line(std::string_view time);
  void end_line(bool is_sampled);

  EventLoop& loop_;
  RequestIds& random_;
  Fd file_;
  std::string lines_;
  Deferred flush_;
  std::uint64_t lost_ = 0;
  double sample_ = 1;
  std::uint64_t draw_below_ = 0;  // of a draw of 32 bits
};

// Appends `text` to `out` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD: a log that cannot be
// read is worth less than an exact byte.
void append_json_text(std::string& out, std::string_view text);

}  // namespace gatehouse::l7
