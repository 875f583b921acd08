// Whether an address may be announced: a pure function of what is known of those who serve it, of the host,
// and of the time since when all has been well. It withdraws at once and announces after a while, so that
// what comes and goes stays away.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/event_loop.h"

namespace gatehouse::l4 {

enum class Announcement : std::uint8_t {
  kWithdrawn,
  kLastResort,  // announced so that routers prefer every other host: this one drains
  kAnnounced,
};
std::string_view to_string(Announcement announcement);

// Those who serve one VIP: nodes, or servers.
struct Health {
  std::size_t members = 0;
  std::size_t healthy = 0;
  // Whether `other` has the greater share of healthy ones.
  bool is_below(const Health& other) const { return healthy * other.members < other.healthy * members; }
};

struct AnnounceRules {
  std::uint32_t min_healthy = 1;  // percent; 0: always
  Duration announce_after{1'000};
  bool is_last_resort = false;  // what a drained host does; else it withdraws
  bool operator==(const AnnounceRules&) const = default;
};

struct Evidence {
  Health health;               // of the address's best VIP
  bool is_forwarding = false;  // packets of VIPs are taken on some interface
  bool is_draining = false;    // this host
};

class AnnouncePolicy {
 public:
  using Time = EventLoop::Clock::time_point;

  // `current`: what stands when the daemon begins. A change of the rules keeps it.
  explicit AnnouncePolicy(Announcement current = Announcement::kWithdrawn) : current_(current) {}

  Announcement judge(const AnnounceRules& rules, const Evidence& evidence, Time now);
  Announcement current() const { return current_; }
  // Why it is not announced, or not as every other; empty when it is.
  const std::string& reason() const { return reason_; }

 private:
  Announcement current_;
  std::string reason_ = "the daemon begins";
  bool is_good_ = false;
  Time good_since_;
};

}  // namespace gatehouse::l4
