// The part of the config model that is about announcing VIPs: see model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::config {

// A router that an L4 host speaks BGP with. It hears of the VIPs of its own family.
struct BgpNeighbour {
  IpAddress address;
  std::uint32_t as = 0;
  std::optional<IpAddress> local_address;  // none: what the kernel chooses
  std::uint32_t multihop = 0;              // 0: on a link of ours
  bool ttl_security = false;               // RFC 5082
};

// What differs from L4 host to L4 host.
struct HostBgp {
  std::uint32_t as = 0;                  // 0: that of [bgp]
  std::optional<IpAddress> router_id;    // none: the host's address
  std::vector<BgpNeighbour> neighbours;  // none: those of [bgp]
};

// VIPs that are announced alike: their addresses are put on one interface.
struct BgpAnchor {
  std::string interface;
  std::vector<std::string> vips;
  std::uint32_t min_healthy = 0;  // 0: "auto", that of [bgp]
  std::vector<std::string> communities;
};

struct Bgp {
  std::uint32_t as = 0;
  std::vector<BgpNeighbour> neighbours;
  std::vector<BgpAnchor> anchors;  // none: one, called gh-vip0, of all VIPs
  std::uint32_t min_healthy = 1;   // percent
  Duration announce_after{1'000};
  Duration withdraw_after{4'000};
  std::string drain = "withdraw";  // withdraw | med | prepend
  std::uint32_t drain_med = 1'000;
  std::uint32_t drain_prepend = 3;
  std::vector<std::string> communities;
  bool bfd = true;
  Duration bfd_interval{100};
  std::uint32_t bfd_multiplier = 3;
  Duration hold_time{9'000};
};

}  // namespace gatehouse::config
