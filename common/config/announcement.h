// What [bgp] comes to, with all defaults filled in: which addresses are announced, on which interface, by
// what measure, and what an L4 host tells its routers. The daemon that announces and the fragments for BIRD
// and FRR read the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model.h"

namespace gatehouse::config {

// Of one address: the VIPs that it has.
struct AnnouncedAddress {
  IpAddress address;
  std::vector<const Vip*> vips;
};

struct Anchor {
  std::string interface;
  std::uint32_t min_healthy = 1;  // percent
  std::vector<std::string> communities;
  std::vector<AnnouncedAddress> addresses;  // in order

  // Where the addresses are while the host drains, and is a last resort.
  std::string drain_interface() const { return interface + "-d"; }
};

// Pointers are into `config`, which must have [bgp].
std::vector<Anchor> anchors_of(const Config& config);
// A drained L4 host goes on to announce, but as last resort.
bool is_last_resort(const Bgp& bgp);
// `host` with what [bgp] says for all.
HostBgp bgp_of(const Config& config, const L4Host& host);

struct Community {
  std::vector<std::uint32_t> parts;  // two, or three of a large one (RFC 8092)
};
std::optional<Community> parse_community(std::string_view text);

}  // namespace gatehouse::config
