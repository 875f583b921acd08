// One capture for an operator: packets as they came and as they left, read from the data plane's ring buffer until there
// are enough of them or the time is over. The answer is JSON (the frames in hexadecimal); the command line makes a file of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/control/channel.h"
#include "common/event_loop.h"
#include "l4/data_plane.h"
#include "l4/director.h"

struct ring_buffer;

namespace gatehouse::l4 {

class Capture {
 public:
  struct Request {
    gh_capture_filter filter{};
    std::uint32_t count = 0;
    Duration longest{};
  };
  // From {"vip": NAME or address:port, "verdict": NAME, "sample": N, "count": N, "milliseconds": N}, all optional.
  static Result<Request> parse(const control::Json& params, const Director& director);

  // Begins; `reply` is called once, at the end, and then `ended`, in which the owner may destroy this.
  Capture(EventLoop& loop, DataPlane& plane, const Request& request, control::Reply reply, std::function<void()> ended);
  ~Capture();
  Status start();

 private:
  static int on_record(void* self, void* record, std::size_t size);
  void on_ready(std::uint32_t events);
  void finish();

  EventLoop& loop_;
  DataPlane& plane_;
  Request request_;
  control::Reply reply_;
  std::function<void()> ended_;
  ring_buffer* ring_ = nullptr;
  control::Json packets_ = control::Json::array();
  Watch watch_;
  Timer end_;
};

}  // namespace gatehouse::l4
