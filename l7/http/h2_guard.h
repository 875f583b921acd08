// What an HTTP/2 client may send that asks for nothing: frames that cost us more than the client. Each kind has a budget
// that refills with time and with honest use of the connection; who runs out of one is told to calm down (RFC 9113 §10.5)
// and loses the connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/event_loop.h"

namespace gatehouse::l7 {

// Why connections of HTTP/2 were ended: counted on the board, in this order.
enum class H2Offence : std::uint8_t {
  kResets,         // streams begun and given up (CVE-2023-44487)
  kPings,
  kSettings,
  kEmptyFrames,
  kPriorities,
  kWindowUpdates,
  kInvalidFrames,  // that are answered with a reset of a stream (CVE-2025-8671)
  kContinuations,
  kHeaderBomb,     // a header section that unpacks to a multiple of what is allowed
  kSlowHead,
  kStall,          // answers asked for and not taken
  kWindowOverflow,
  kProtocolError,  // any other
  kCount
};
inline constexpr std::size_t kH2Offences = static_cast<std::size_t>(H2Offence::kCount);
const char* name_of(H2Offence offence);

class H2Guard {
 public:
  explicit H2Guard(EventLoop::Clock::time_point now);
  // Of the kinds up to kInvalidFrames. False: the budget is used up.
  bool spend(H2Offence offence, EventLoop::Clock::time_point now);
  void earn_by_request();
  void earn_by_data();  // a frame of it sent

 private:
  static constexpr std::size_t kBudgets = static_cast<std::size_t>(H2Offence::kInvalidFrames) + 1;
  struct Budget;
  static const Budget kBudget[kBudgets];
  void refill(EventLoop::Clock::time_point now);
  void earn(std::size_t kind, float amount);

  std::array<float, kBudgets> left_;
  EventLoop::Clock::time_point refilled_;
};

}  // namespace gatehouse::l7
