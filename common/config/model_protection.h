// The part of the config model that is about protection: see model.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/address.h"

namespace gatehouse::config {

// A named list of prefixes: whose packets to some VIPs are dropped, or are not. Of all lists that name a VIP
// the longest prefix decides.
struct PrefixList {
  std::string name;
  std::string action = "deny";  // deny | allow | exempt (allowed, and not limited either)
  std::vector<IpPrefix> prefixes;
  std::string file;               // more of them. Neither: the list is written by `gatehouse prefix` alone
  std::vector<std::string> vips;  // none: every VIP
};

// What each source prefix may send to some VIPs taken together.
struct SourceLimit {
  std::string name;
  std::vector<std::string> vips;         // none: every VIP that no other limit names
  std::uint32_t packets_per_second = 0;  // 0: no limit
  std::uint32_t packet_burst = 0;        // 0: as many as in a second
  std::uint32_t syns_per_second = 0;
  std::uint32_t syn_burst = 0;
  std::uint32_t ipv4_prefix = 32;  // what counts as one source
  std::uint32_t ipv6_prefix = 64;
};

struct Protection {
  bool drop_bogus = false;           // guard VIPs that no list and no limit names, too
  std::uint32_t prefixes = 16'384;   // room for rules
  std::uint32_t sources = 65'536;    // room for sources that limits know at a time
  std::string syn_cookies = "auto";  // of nodes: auto | always | off
};

}  // namespace gatehouse::config
