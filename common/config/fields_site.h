// The options of the site: VIPs, hosts, nodes, rings, probes, workers.
#pragma once

#include "common/config/field.h"
#include "common/config/fields_bgp.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Site> = std::tuple{
    field("name", &Site::name, "Name of the site, for people."),
    field("secret_file", &Site::secret_file, "File whose content keys the flow hash; the same on every L4 host.", kPath),
    field("fabric_mtu", &Site::fabric_mtu, "Bytes of IP that fit between L4 hosts and nodes; bounds tunnelled packets and the MSS.",
          kOptional, 1280, 9216),
    field("ipip_source_v4", &Site::ipip_source_v4,
          "Prefix of the outer sources of IPIP, its host bits filled by each flow's hash for receive queues and equal-cost paths. "
          "Without it: the L4 host's address."),
    field("ipip_source_v6", &Site::ipip_source_v6, "The same towards IPv6 nodes: a /64 or longer."),
    field("icmp_answers", &Site::icmp_answers, "Answers to echo requests and to packets too big, per second and CPU of an L4 host.",
          kOptional, 0, 1'000'000),
};

template <>
inline constexpr auto kFields<VipNode> = std::tuple{
    field("name", &VipNode::name, "Name of a [[node]].", kRequired),
    field("weight", &VipNode::weight, "Share of this VIP's new connections, instead of the node's weight.", kAuto, 0, 10'000),
};

template <>
inline constexpr auto kFields<Vip> = std::tuple{
    field("name", &Vip::name, "Name that listeners refer to.", kRequired),
    field("address", &Vip::address, "IPv4 or IPv6 address that clients connect to.", kRequired),
    field("port", &Vip::port, "Port that clients connect to, or \"any\": all that no other VIP of the address has.", kAny, 1, 65535),
    field("protocol", &Vip::protocol, "\"tcp\" or \"udp\"."),
    field("encapsulation", &Vip::encapsulation,
          "\"gue\": with the hop list, for nodes that run gatehouse-l7. \"gue-plain\", \"ipip\": without, also for a stock tunnel; "
          "connections of a slot in transition are not sent on."),
    field("hash", &Vip::hash, "What keeps packets together: \"flow\", \"addresses\" (both, without ports) or \"source\"."),
    field("fragments", &Vip::fragments,
          "\"drop\", or \"addresses\": forwarded, which needs a hash without ports for all packets of the VIP."),
    field("nodes", &Vip::nodes, "Nodes that serve it: names, or tables with name and weight; none: all nodes."),
};

template <>
inline constexpr auto kFields<L4Host> = std::tuple{
    field("name", &L4Host::name, "Name given to gatehouse-l4 by --host, and common name of its certificate.", kRequired),
    field("address", &L4Host::address, "Outer source of tunnelled packets.", kRequired),
    field("address_v6", &L4Host::address_v6, "Outer source towards IPv6 nodes, when `address` is IPv4."),
    field("interface", &L4Host::interfaces,
          "Interface, or list of interfaces, on which packets of VIPs arrive: XDP is attached there.", kRequired | kOneOrMore),
    field("xdp_mode", &L4Host::xdp_mode, "\"native\", \"generic\", or \"auto\": native, else generic with a warning."),
    field("dpdk", &L4Host::dpdk,
          "Arguments of DPDK's environment, for gatehouse-l4-dpdk: [\"-l\", \"0-1\", \"--vdev=net_af_packet0,iface=eth0\"]."),
    field("next_program", &L4Host::next_program,
          "Pinned XDP program (a path on a BPF file system) that gets the packets that are not a VIP's."),
    field("control", &L4Host::control, "address:port where nodes dial in (mutual TLS, [control])."),
    field("bgp", &L4Host::bgp, "What this L4 host's BGP has of its own."),
};

template <>
inline constexpr auto kFields<Node> = std::tuple{
    field("id", &Node::id, "Number of the node in hop lists; never reused for another machine.", kRequired, 1, 4095),
    field("name", &Node::name, "Name given to gatehouse-l7 by --node, and common name of its certificate.", kRequired),
    field("address", &Node::address, "Outer destination of tunnelled packets.", kRequired),
    field("interface", &Node::interface, "Interface on which tunnelled packets arrive: XDP is attached there.", kRequired),
    field("weight", &Node::weight, "Share of new connections, relative to other nodes; 0: none.", kOptional, 0, 10'000),
    field("zone", &Node::zone, "Where it is, in a word of yours: it prefers backends of the same zone."),
};

template <>
inline constexpr auto kFields<Ring> = std::tuple{
    field("slots", &Ring::slots, "Slots of a Maglev ring: a prime, a hundred times the nodes or more.", kOptional, 251, 1'000'003),
    field("hop_deadline", &Ring::hop_deadline, "How long an earlier owner of a slot stays in its hop list.", kOptional, 1'000,
          30 * kDay),
    field("groups", &Ring::groups, "Rings that there is room for, 8 bytes a slot each; \"auto\": twice what the VIPs need, at most 64 more, at least 8.",
          kAuto, 0, 1'024),
};

template <>
inline constexpr auto kFields<Balance> = std::tuple{
    field("load_feedback", &Balance::load_feedback, "Weights follow the CPU use that nodes report, towards even use."),
    field("interval", &Balance::interval, "Time between two steps.", kOptional, 1'000, 3'600'000),
    field("step", &Balance::step, "Percent by which a weight changes in one step, at most.", kOptional, 1, 50),
    field("range", &Balance::range, "A weight stays between the configured one divided by this and multiplied by this.", kOptional, 1, 10),
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
inline constexpr auto kFields<Metrics> = std::tuple{
    field("l4", &Metrics::l4, "Loopback address:port where gatehouse-l4 answers GET /metrics."),
    field("l7", &Metrics::l7, "The same of gatehouse-l7."),
};

template <>
inline constexpr auto kFields<Store> = std::tuple{
    field("etcd", &Store::etcd, "URLs of its members: [\"https://192.0.2.5:2379\"].", kRequired),
    field("ca", &Store::ca, "PEM file: the authority that signed the members' certificates.", kPath),
    field("certificate", &Store::certificate, "PEM file: the certificate that L4 hosts show.", kPath),
    field("key", &Store::key, "PEM file: its key.", kPath),
    field("user", &Store::user, "User of etcd, with the right to read and write below `prefix`."),
    field("password_file", &Store::password_file, "File whose first line is the user's password.", kPath),
    field("prefix", &Store::prefix, "What keys begin with; the name of the site follows."),
};

template <>
inline constexpr auto kFields<Control> = std::tuple{
    field("certificate", &Control::certificate, "PEM file: this host's certificate; its common name is the host's name.", kPath),
    field("key", &Control::key, "PEM file: its key; none: it stands in the same file, and the daemon renews both.", kPath),
    field("ca", &Control::ca, "PEM file: the site's authority, which signs every host's certificate.", kPath),
    field("authority", &Control::authority,
          "Folder of the site's own authority (`gatehouse authority init`): an L4 host where it is there lets hosts join and renews their certificates.", kPath),
    field("identity_life", &Control::identity_life, "How long certificates of that authority are good; they are renewed when two thirds of it are over.",
          kOptional, 10'000, 825 * kDay),
};

template <>
inline constexpr auto kFields<Workers> = std::tuple{
    field("count", &Workers::count, "Worker processes of a node; \"auto\": one per core, or, with `min` or `max`, as many as the load needs.", kAuto, 0, 64),
    field("min", &Workers::min, "With count = \"auto\": never fewer; 0: one.", kOptional, 0, 64),
    field("max", &Workers::max, "With count = \"auto\": never more; 0: one per core.", kOptional, 0, 64),
    field("user", &Workers::user, "User that workers run as."),
    field("drain_timeout", &Workers::drain_timeout, "How long a stopping worker may finish its exchanges.", kOptional, 0, kDay),
    field("max_buffers", &Workers::max_buffers, "What a worker's connections may have in buffers: above it no further one is accepted.",
          kOptional, 1 << 20),
    field("shed_above_cpu", &Workers::shed_above_cpu,
          "Percent of its core that a worker may use: above it a share of the requests of class \"sheddable\" is answered 503 that grows until it uses no more, and when "
          "that is all of them a share of the \"default\" ones; \"critical\" ones never are; 0: off.",
          kOptional, 0, 99),
};

}  // namespace gatehouse::config
