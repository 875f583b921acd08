// The part of the config model that is about the site: see model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/config/model_bgp.h"
#include "common/units.h"

namespace gatehouse::config {

struct Site {
  std::string name = "site";
  std::string secret_file;  // flow-hash key material; empty: a fixed key, which `check` warns of
  std::uint32_t fabric_mtu = 1500;  // bytes of IP between L4 hosts and nodes: bounds tunnelled packets, and the MSS
                                    // that nodes advertise
  std::optional<IpPrefix> ipip_source_v4;  // outer sources of IPIP, filled up by the flow's hash; none: the L4 host's address
  std::optional<IpPrefix> ipip_source_v6;
  std::uint32_t icmp_answers = 1000;  // per second and CPU
};

// A node that a VIP's connections go to.
struct VipNode {
  std::string name;
  std::uint32_t weight = 0;  // for this VIP; 0: "auto", the node's own

  bool operator==(const VipNode&) const = default;
};

// A virtual address + protocol + port that clients connect to (DESIGN.md §1).
struct Vip {
  std::string name;
  IpAddress address;
  std::uint16_t port = 443;      // 0: any
  std::string protocol = "tcp";  // tcp | udp
  std::string encapsulation = "gue";  // gue | gue-plain | ipip
  std::string hash = "flow";          // flow | addresses | source
  std::string fragments = "drop";     // drop | addresses
  std::vector<VipNode> nodes;    // none: all
};

struct L4Host {
  std::string name;
  IpAddress address;           // outer source of tunnelled packets
  std::optional<IpAddress> address_v6;  // towards IPv6 nodes, when `address` is IPv4
  std::vector<std::string> interfaces;  // where XDP is attached; the first one carries the probes
  std::string xdp_mode = "auto";        // auto | native | generic
  std::vector<std::string> dpdk;        // arguments of DPDK's environment, for gatehouse-l4-dpdk
  std::string next_program;             // pinned XDP program that gets what is not a VIP's; empty: none
  std::optional<Endpoint> control;  // where nodes dial in over TCP with mutual TLS; none: Unix socket only
  HostBgp bgp;
};

struct Node {
  std::uint16_t id = 0;        // 1..4095, never reused for another machine: hop lists carry it
  std::string name;
  IpAddress address;           // outer destination of tunnelled packets
  std::string interface;
  std::uint32_t weight = 100;  // share of new connections, relative to the other nodes; 0: none
  std::string zone;            // where it is; empty: nowhere in particular
};

struct Ring {
  std::uint32_t slots = 65537;            // a prime
  Duration hop_deadline{3'600'000};       // after this an earlier owner leaves the hop list
  std::uint32_t groups = 0;               // rings that there is room for; 0: "auto", by what the VIPs need
};

// Weights that follow the load of the nodes.
struct Balance {
  bool load_feedback = false;
  Duration interval{4'000};    // between two steps
  std::uint32_t step = 10;     // percent by which a weight changes in one step, at most
  std::uint32_t range = 4;     // a weight stays between the node's divided by this and the node's times this
};

// Data-path probe of the nodes: a real connection through the tunnel to a worker.
struct Probe {
  IpAddress address = *IpAddress::parse("192.0.0.8");  // routed to the L4 host's interface, local on every node
  std::uint16_t port = 6081;
  Duration interval{1'000};
  Duration timeout{500};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
  bool operator==(const Probe&) const = default;
};

// Mutual TLS of the control protocol between hosts.
struct Control {
  std::string certificate;
  std::string key;
  std::string ca;
  std::string authority;                    // folder
  Duration identity_life{90 * 24 * 3'600'000LL};
};

// Where the daemons answer a Prometheus server, on loopback; none: nowhere.
struct Metrics {
  std::optional<Endpoint> l4;
  std::optional<Endpoint> l7;
};

// Where L4 hosts keep the site's version of the config beside their own disks.
struct Store {
  std::vector<std::string> etcd;  // "https://192.0.2.5:2379"
  std::string ca;
  std::string certificate;
  std::string key;
  std::string user;
  std::string password_file;
  std::string prefix = "/gatehouse/";

  bool operator==(const Store&) const = default;
};

// How a node runs its workers.
struct Workers {
  std::uint32_t count = 0;              // 0: "auto", one per core
  std::uint32_t min = 0, max = 0;       // of "auto", by CPU time that is used; 0: no bound, and both: no change
  std::string user = "nobody";          // workers run as this user, without capabilities
  Duration drain_timeout{30'000};       // how long a retiring worker may finish its exchanges
  ByteSize max_buffers{1ull << 30};     // of a worker: above it no connection is accepted
  std::uint32_t shed_above_cpu = 0;     // percent of its core that a worker uses: then cheaper requests are refused; 0: never
};

}  // namespace gatehouse::config
