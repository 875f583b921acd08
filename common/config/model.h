// The site config as plain structs: what one TOML file says about a whole site. Defaults are the member
// initialisers. common/config/fields.h gives every member its name, bounds and one-line doc; parser, validator and
// the reference page are made from that table, so a new option is one member here and one line there.
//
// A Config is immutable once loaded. References between sections are by name and have been checked by validate().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::config {

struct Site {
  std::string name = "site";
  std::string secret_file;  // flow-hash key material; empty: a fixed key, which `check` warns of
  std::uint32_t fabric_mtu = 1500;  // bytes of IP between L4 hosts and nodes: bounds tunnelled packets, and the MSS
                                    // that nodes advertise
};

// A virtual address + protocol + port that clients connect to (DESIGN.md §1).
struct Vip {
  std::string name;
  IpAddress address;
  std::uint16_t port = 443;
  std::string protocol = "tcp";  // tcp | udp
};

struct L4Host {
  std::string name;
  IpAddress address;           // outer source of tunnelled packets
  std::optional<IpAddress> address_v6;  // towards IPv6 nodes, when `address` is IPv4
  std::string interface;       // where XDP is attached
  std::optional<Endpoint> control;  // where nodes dial in over TCP with mutual TLS; none: Unix socket only
};

struct Node {
  std::uint16_t id = 0;        // 1..4095, never reused for another machine: hop lists carry it
  std::string name;
  IpAddress address;           // outer destination of tunnelled packets
  std::string interface;
  std::uint32_t weight = 100;  // share of new connections, relative to the other nodes; 0: none
};

struct Ring {
  std::uint32_t slots = 65537;            // a prime
  Duration hop_deadline{3'600'000};       // after this an earlier owner leaves the hop list
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
};

// How a node runs its workers.
struct Workers {
  std::uint32_t count = 0;              // 0: "auto", one per core
  std::string user = "nobody";          // workers run as this user, without capabilities
  Duration drain_timeout{30'000};       // how long a retiring worker may finish its exchanges
};

struct Certificate {
  std::string chain;   // PEM file, leaf first
  std::string key;     // PEM file
};

struct Listener {
  std::string name;
  std::vector<std::string> vips;        // steered from these VIPs, or
  std::vector<Endpoint> addresses;      // bound directly
  std::vector<Certificate> certificates;  // none: clear text
  std::vector<IpAddress> trusted_proxies;  // whose X-Forwarded-* are believed
  ByteSize max_header{16 * 1024};       // request line + header fields; beyond: 431
  ByteSize max_uri{8 * 1024};           // beyond: 414
  std::uint32_t max_header_fields = 100;  // beyond: 431
  ByteSize max_body{1ull << 40};        // beyond: 413
  Duration header_timeout{10'000};      // first byte of a request to the end of its header: 408
  Duration idle_timeout{60'000};        // keep-alive between requests, and a stalled body
};

struct Route {
  std::string name;
  std::vector<std::string> hosts;       // exact or "*.suffix"; none: any host
  std::string path;                     // exact
  std::string path_prefix;              // whole segments: "/api" matches "/api" and "/api/x", not "/apix"
  std::string pool;
  std::int32_t priority = 0;            // higher first, before specificity
};

struct Backend {
  Endpoint address;
  std::uint32_t weight = 1;
};

struct Health {
  std::string path;                     // empty: no active check, always healthy
  std::string host;                     // Host field of the check; empty: the backend's address
  std::vector<std::uint16_t> status = {200};
  std::string body_contains;
  Duration interval{2'000};
  Duration timeout{1'000};
  std::uint32_t rise = 2;
  std::uint32_t fall = 3;
};

struct Pool {
  std::string name;
  std::vector<Backend> backends;
  Health health;
  Duration connect_timeout{2'000};      // then 504
  Duration response_timeout{30'000};    // to the first byte of the response, then 504; also a stalled body
  std::uint32_t max_idle = 64;          // idle keep-alive connections to a backend, per worker
  Duration idle_timeout{50'000};        // an idle connection is closed after this
};

struct AccessLog {
  std::string file;                     // JSON lines; empty: off
};

struct Config {
  Site site;
  std::vector<Vip> vips;
  std::vector<L4Host> l4_hosts;
  std::vector<Node> nodes;
  Ring ring;
  Probe probe;
  Control control;
  Workers workers;
  std::vector<Listener> listeners;
  std::vector<Route> routes;
  std::vector<Pool> pools;
  AccessLog access_log;

  std::string text;      // the file as it was read: what is sent to other hosts
  std::string file;      // for messages only
  std::uint64_t digest = 0;  // of `text`; equal on hosts that run the same config
};

}  // namespace gatehouse::config
