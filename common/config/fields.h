// Every option of the config, declared once: name, member, bounds, one line of documentation. Parser, validator and the
// reference page all walk these tables; the default is the member's initialiser in model.h.
#pragma once

#include <cstdint>
#include <limits>
#include <tuple>

#include "common/config/model.h"

namespace gatehouse::config {

enum FieldFlags : unsigned {
  kOptional = 0,
  kRequired = 1,  // must be given
  kPath = 2,      // a file: relative to the config file's folder
  kAuto = 4,      // a number, or "auto" for 0
};

template <typename Struct, typename Member>
struct Field {
  const char* name;
  Member Struct::* member;
  const char* doc;
  unsigned flags = kOptional;
  std::int64_t least = std::numeric_limits<std::int64_t>::min();  // of numbers, milliseconds, bytes
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(const char* name, Member Struct::* member, const char* doc, unsigned flags = kOptional,
                                      std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                                      std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  return {name, member, doc, flags, least, most};
}

// kFields<T>: the options of T.
template <typename T>
inline constexpr int kFields = 0;

inline constexpr std::int64_t kDay = 24 * 3'600'000;

template <>
inline constexpr auto kFields<Site> = std::tuple{
    field("name", &Site::name, "Name of the site, for people."),
    field("secret_file", &Site::secret_file, "File whose content keys the flow hash; the same on every L4 host.", kPath),
    field("fabric_mtu", &Site::fabric_mtu, "Bytes of IP that fit between L4 hosts and nodes; bounds tunnelled packets and the MSS.",
          kOptional, 1280, 9216),
};

template <>
inline constexpr auto kFields<Vip> = std::tuple{
    field("name", &Vip::name, "Name that listeners refer to.", kRequired),
    field("address", &Vip::address, "IPv4 or IPv6 address that clients connect to.", kRequired),
    field("port", &Vip::port, "Port that clients connect to.", kOptional, 1, 65535),
    field("protocol", &Vip::protocol, "\"tcp\" or \"udp\"."),
};

template <>
inline constexpr auto kFields<L4Host> = std::tuple{
    field("name", &L4Host::name, "Name given to gatehouse-l4 by --host, and common name of its certificate.", kRequired),
    field("address", &L4Host::address, "Outer source of tunnelled packets.", kRequired),
    field("address_v6", &L4Host::address_v6, "Outer source towards IPv6 nodes, when `address` is IPv4."),
    field("interface", &L4Host::interface, "Interface on which packets of VIPs arrive: XDP is attached there.", kRequired),
    field("control", &L4Host::control, "address:port where nodes dial in (mutual TLS, [control])."),
};

template <>
inline constexpr auto kFields<Node> = std::tuple{
    field("id", &Node::id, "Number of the node in hop lists; never reused for another machine.", kRequired, 1, 4095),
    field("name", &Node::name, "Name given to gatehouse-l7 by --node, and common name of its certificate.", kRequired),
    field("address", &Node::address, "Outer destination of tunnelled packets.", kRequired),
    field("interface", &Node::interface, "Interface on which tunnelled packets arrive: XDP is attached there.", kRequired),
    field("weight", &Node::weight, "Share of new connections, relative to other nodes; 0: none.", kOptional, 0, 10'000),
};

template <>
inline constexpr auto kFields<Ring> = std::tuple{
    field("slots", &Ring::slots, "Slots of a Maglev ring: a prime, a hundred times the nodes or more.", kOptional, 251, 1'000'003),
    field("hop_deadline", &Ring::hop_deadline, "How long an earlier owner of a slot stays in its hop list.", kOptional, 1'000,
          30 * kDay),
};

template <>
inline constexpr auto kFields<Probe> = std::tuple{
    field("address", &Probe::address, "Address that probes ask for through the tunnel; local on every node."),
    field("port", &Probe::port, "Port of the probe.", kOptional, 1, 65535),
    field("interval", &Probe::interval, "Time between two probes of a node.", kOptional, 50, kDay),
    field("timeout", &Probe::timeout, "A probe without an answer by then has failed.", kOptional, 10, kDay),
    field("rise", &Probe::rise, "Successes in a row that bring a node up.", kOptional, 1, 100),
    field("fall", &Probe::fall, "Failures in a row that take it down.", kOptional, 1, 100),
};

template <>
inline constexpr auto kFields<Control> = std::tuple{
    field("certificate", &Control::certificate, "PEM file: this host's certificate; its common name is the host's name.", kPath),
    field("key", &Control::key, "PEM file: its key.", kPath),
    field("ca", &Control::ca, "PEM file: the site's authority, which signs every host's certificate.", kPath),
};

template <>
inline constexpr auto kFields<Workers> = std::tuple{
    field("count", &Workers::count, "Worker processes of a node; \"auto\": one per core.", kAuto, 0, 64),
    field("user", &Workers::user, "User that workers run as."),
    field("drain_timeout", &Workers::drain_timeout, "How long a stopping worker may finish its exchanges.", kOptional, 0, kDay),
};

template <>
inline constexpr auto kFields<Certificate> = std::tuple{
    field("chain", &Certificate::chain, "PEM file: the certificate, then its issuers.", kRequired | kPath),
    field("key", &Certificate::key, "PEM file: the key.", kRequired | kPath),
};

template <>
inline constexpr auto kFields<Listener> = std::tuple{
    field("name", &Listener::name, "Name of the listener.", kRequired),
    field("vips", &Listener::vips, "VIPs whose connections it takes (on nodes of a site)."),
    field("addresses", &Listener::addresses, "address:port to bind directly (without an L4 tier)."),
    field("certificates", &Listener::certificates, "Certificates, chosen by SNI, the first is the default; none: clear text."),
    field("trusted_proxies", &Listener::trusted_proxies, "Addresses whose X-Forwarded-* and Forwarded fields are believed."),
    field("max_header", &Listener::max_header, "Request line and fields together; beyond: 431.", kOptional, 1024, 65536),
    field("max_uri", &Listener::max_uri, "Request target; beyond: 414.", kOptional, 256, 65536),
    field("max_header_fields", &Listener::max_header_fields, "Number of header fields; beyond: 431.", kOptional, 8, 128),
    field("max_body", &Listener::max_body, "Request body; beyond: 413."),
    field("header_timeout", &Listener::header_timeout, "From the first byte of a request to the end of its head; then 408.",
          kOptional, 100, kDay),
    field("idle_timeout", &Listener::idle_timeout, "Between requests, and without progress in a body.", kOptional, 100, kDay),
};

template <>
inline constexpr auto kFields<Route> = std::tuple{
    field("name", &Route::name, "Name of the route; default: that of its pool."),
    field("hosts", &Route::hosts, "Host names, exact or \"*.suffix\"; none: any."),
    field("path", &Route::path, "Exact path."),
    field("path_prefix", &Route::path_prefix, "Whole leading segments of the path: \"/api\" takes \"/api/x\", not \"/apix\"."),
    field("pool", &Route::pool, "Pool that answers.", kRequired),
    field("priority", &Route::priority, "Higher ones are tried first, before specificity.", kOptional, -1000, 1000),
};

template <>
inline constexpr auto kFields<Backend> = std::tuple{
    field("address", &Backend::address, "address:port of the server.", kRequired),
    field("weight", &Backend::weight, "Share of requests, relative to other backends; 0: none.", kOptional, 0, 10'000),
};

template <>
inline constexpr auto kFields<Health> = std::tuple{
    field("path", &Health::path, "Path of the check (GET); empty: no check, always healthy."),
    field("host", &Health::host, "Host field of the check; default: the backend's address."),
    field("status", &Health::status, "Status codes that are healthy.", kOptional, 100, 599),
    field("body_contains", &Health::body_contains, "Text that the answer's body must contain."),
    field("interval", &Health::interval, "Time between two checks of a backend.", kOptional, 50, kDay),
    field("timeout", &Health::timeout, "A check without an answer by then has failed.", kOptional, 10, kDay),
    field("rise", &Health::rise, "Successes in a row that bring a backend back.", kOptional, 1, 100),
    field("fall", &Health::fall, "Failures in a row that take it out.", kOptional, 1, 100),
};

template <>
inline constexpr auto kFields<Pool> = std::tuple{
    field("name", &Pool::name, "Name that routes refer to.", kRequired),
    field("backends", &Pool::backends, "Servers: \"address:port\", or tables with address and weight.", kRequired),
    field("health", &Pool::health, "How they are checked."),
    field("connect_timeout", &Pool::connect_timeout, "To connect to a backend; then 504.", kOptional, 10, kDay),
    field("response_timeout", &Pool::response_timeout, "To the head of the response, then 504; and without progress in its body.",
          kOptional, 10, kDay),
    field("max_idle", &Pool::max_idle, "Idle connections kept to a backend, per worker.", kOptional, 0, 100'000),
    field("idle_timeout", &Pool::idle_timeout, "An idle connection is closed after this.", kOptional, 100, kDay),
};

template <>
inline constexpr auto kFields<AccessLog> = std::tuple{
    field("file", &AccessLog::file, "File that gets one JSON line per exchange; empty: off.", kPath),
};

template <>
inline constexpr auto kFields<Config> = std::tuple{
    field("site", &Config::site, "The site as a whole."),
    field("vip", &Config::vips, "A virtual address, protocol and port that clients connect to."),
    field("l4_host", &Config::l4_hosts, "A host that runs gatehouse-l4."),
    field("node", &Config::nodes, "A host that runs gatehouse-l7 behind the L4 hosts."),
    field("ring", &Config::ring, "The Maglev rings."),
    field("probe", &Config::probe, "Probes of the nodes through the tunnel."),
    field("control", &Config::control, "Mutual TLS of the control protocol between hosts."),
    field("workers", &Config::workers, "Worker processes of a node."),
    field("listener", &Config::listeners, "Where requests enter."),
    field("route", &Config::routes, "What a request matches. Most specific first, never by file order."),
    field("pool", &Config::pools, "A named set of servers of one service."),
    field("access_log", &Config::access_log, "One line per exchange."),
};

// Calls visit(field) for each option of T.
template <typename T, typename Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&visit](const auto&... fields) { (visit(fields), ...); }, kFields<T>);
}

}  // namespace gatehouse::config
