// A site whose VIPs are announced: BIRD with the config that we print on both L4 hosts, BIRD as the router,
// and no route to the VIPs but theirs. What the router's kernel is told is logged with its time, so that a
// test knows when a route moved.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/integration/site.h"

namespace gatehouse::test {

// config/quickstart.toml with [bgp], and its sessions of both L4 hosts; `more` goes into [bgp].
std::string bgp_config(const std::string& more = {});
// Why no BGP daemon can run here; empty where BIRD is.
std::string why_no_bird();

struct RouteEvent {
  double unix_seconds = 0;
  std::string text;
};
double unix_seconds_now();

class BgpSite {
 public:
  explicit BgpSite(Site& site) : site_(site) {}

  // Starts all three BIRDs and waits for both routes in both families.
  Status up();
  // Takes the lab's own routes to the VIPs away, and logs routes from now on.
  Status begin();
  Status start_bird(const std::string& host);  // an L4 host
  Status start_router_bird();
  std::string printed_config(const std::string& host, const std::string& daemon);

  // Next hops of the router to the VIP of either family: "l4a", "l4b", both in this order with a space
  // between, or "".
  std::string hops(bool is_v6 = false) const;
  // Until both families' are these.
  bool wait_for_hops(const std::string& wanted, std::chrono::seconds limit = std::chrono::seconds(30)) const;
  // What the router's kernel was told of the VIPs since then.
  std::vector<RouteEvent> events_since(double unix_seconds) const;
  // Milliseconds from then until the IPv4 VIP's route went by `hops` and no other for the first time; none:
  // it did not.
  std::optional<double> moved_after(double unix_seconds, const std::string& hops) const;
  // The address's row in `gatehouse status` of that host.
  Json announcement(const std::string& host, const std::string& address = "198.51.100.10") const;
  std::string ask_bird(const std::string& host, const std::vector<std::string>& words) const;

 private:
  Status start_bird(const std::string& host, const std::string& text);

  Site& site_;
};

}  // namespace gatehouse::test
