// The part of the config model that is about services, VIPs whose servers run nothing of ours: see model.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::config {

struct Server {
  std::uint16_t id = 0;  // 1..4095, of the same numbers as the nodes' ids; never reused for another machine
  std::string name;
  IpAddress address;           // where its packets go
  std::uint16_t port = 0;      // "nat": instead of the VIP's; 0: the VIP's
  std::uint32_t weight = 100;  // share of new flows; 0: none, it keeps those it has
  std::string quic_id;         // hexadecimal: what its connection ids name it by
};

// How the L4 hosts check servers.
struct ServerCheck {
  std::string kind = "tcp";  // tcp | udp | none
  std::string way;           // tunnel | direct; empty: tunnel where there is one
  std::uint16_t port = 0;    // 0: that of the VIP, with "nat" the server's
  std::string request;       // sent when connected; "\xNN" is a byte
  std::string expect;        // part of the answer; the same
  Duration interval{1'000};
  Duration timeout{500};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  bool operator==(const ServerCheck&) const = default;
};

// One configuration of QUIC-LB; several at a time while keys are exchanged.
struct QuicConfig {
  std::uint8_t config_id = 0;     // 0..6
  std::uint8_t nonce_length = 8;  // bytes
  std::string key_file;           // 32 hexadecimal digits; empty: server ids are in the clear
};

struct Service {
  std::string name;
  std::vector<std::string> vips;
  std::vector<Server> servers;
  std::string encapsulation = "ipip";  // ipip | gue | nat
  std::string hash = "flow";           // flow | addresses | source
  bool flow_cache = true;
  Duration tcp_idle{900'000};
  Duration udp_idle{60'000};
  Duration drain_timeout{3'600'000};
  ServerCheck check;
  std::vector<QuicConfig> quic;
};

// The memory of flows, shared by all services.
struct FlowCache {
  std::uint32_t flows = 1'048'576;
};

}  // namespace gatehouse::config
