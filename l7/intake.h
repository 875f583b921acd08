// A connection whose first bytes must be read before it is known who it is from (PROXY header) or where it
// goes (ClientHello). They are looked at in the kernel's buffer: what waits there costs no memory of ours,
// and whoever serves the connection then reads its stream from the first byte on. Owned by
// WorkerContext::intakes; it retires itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "l7/arrival.h"
#include "l7/buffer.h"
#include "l7/deadline.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {

struct WorkerContext;

class Intake {
 public:
  Intake(WorkerContext& context, const Runtime::Listener& listener, Fd socket, Arrival arrival);
  ~Intake();

  static bool is_needed(const Runtime::Listener& listener) {
    return listener.config.proxy_protocol || listener.mode == Runtime::Mode::kPassthrough;
  }
  void advance();

  std::size_t place = 0;  // both for Roster
  bool is_resumed = false;

 private:
  enum class Phase : std::uint8_t { kProxyHeader, kClientHello, kLingering, kGone };

  void on_event(std::uint32_t events);
  void on_deadline();
  // Each returns whether the phase changed.
  bool read_proxy_header(const Runtime::Listener& listener);
  bool read_client_hello(const Runtime::Listener& listener);
  bool discard();
  bool after_proxy_header(const Runtime::Listener& listener);
  void take_header(const ProxyHeader& header);
  bool hand_over(const Runtime::Listener& listener, Pool* pool);
  bool refuse_hello(std::uint8_t alert, std::string_view why);
  bool refuse_header(std::string_view why);
  void note_refusal(std::atomic<std::uint64_t>& counter, std::string_view why);
  std::string_view peek(Buffer& scratch, std::size_t most);
  bool leave();

  WorkerContext& context_;
  std::string listener_name_;
  Fd socket_;
  Arrival arrival_;
  Phase phase_;
  bool is_ended_ = false;  // the peer sends nothing more, or is gone
  Watch watch_;
  Deadline<Intake, &Intake::on_deadline> deadline_;
};

}  // namespace gatehouse::l7
