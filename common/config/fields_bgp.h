// The options of BGP: who is spoken to, when a VIP is announced, and as what.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

inline constexpr std::int64_t kMostAs = 0xffffffff;

template <>
inline constexpr auto kFields<BgpNeighbour> = std::tuple{
    field("address", &BgpNeighbour::address, "Address of the router; it hears of the VIPs of this family.",
          kRequired),
    field("as", &BgpNeighbour::as, "Its AS number.", kRequired, 1, kMostAs),
    field("local_address", &BgpNeighbour::local_address,
          "Our end of the session. Default: what the kernel chooses."),
    field("multihop", &BgpNeighbour::multihop, "Hops to a router that is on none of our links; 0: it is.",
          kOptional, 0, 255),
    field("ttl_security", &BgpNeighbour::ttl_security,
          "Take packets of a router on our link only with TTL 255 (RFC 5082); it must do so, too."),
};

template <>
inline constexpr auto kFields<HostBgp> = std::tuple{
    field("as", &HostBgp::as, "Our AS number; \"auto\": that of [bgp].", kAuto, 0, kMostAs),
    field("router_id", &HostBgp::router_id, "BGP identifier. Default: the L4 host's address, if it is IPv4."),
    field("neighbours", &HostBgp::neighbours, "Routers of this L4 host. Default: those of [bgp]."),
};

template <>
inline constexpr auto kFields<BgpAnchor> = std::tuple{
    field("interface", &BgpAnchor::interface,
          "Interface that gatehouse-l4 makes and puts the VIPs' addresses on while they are announced.",
          kRequired),
    field("vips", &BgpAnchor::vips, "VIPs that it is for; those of one address together.", kRequired),
    field("min_healthy", &BgpAnchor::min_healthy, "As in [bgp], for these VIPs; \"auto\": what [bgp] says.",
          kAuto, 0, 100),
    field("communities", &BgpAnchor::communities, "Communities of these VIPs, besides those of [bgp]."),
};

template <>
inline constexpr auto kFields<Bgp> = std::tuple{
    field("as", &Bgp::as, "AS number of the L4 hosts that name none of their own.", kOptional, 0, kMostAs),
    field("neighbours", &Bgp::neighbours, "Routers of the L4 hosts that name none of their own."),
    field("anchor", &Bgp::anchors,
          "VIPs that are announced alike. Default: all of them, on the interface gh-vip0."),
    field("min_healthy", &Bgp::min_healthy,
          "An address is announced while this many percent of the nodes, or servers, of one of its VIPs "
          "answer probes; 0: always.",
          kOptional, 0, 100),
    field("announce_after", &Bgp::announce_after, "How long that must hold before an address is announced.",
          kOptional, 0, 3'600'000),
    field("withdraw_after", &Bgp::withdraw_after,
          "The kernel withdraws the addresses of a daemon that has not been alive for so long, and up to a "
          "second more.",
          kOptional, 2'000, 3'600'000),
    field("drain", &Bgp::drain,
          "What a drained L4 host does: \"withdraw\", or go on announcing as last resort with a \"med\", or "
          "with its AS \"prepend\"ed; these two with the community GRACEFUL_SHUTDOWN (RFC 8326)."),
    field("drain_med", &Bgp::drain_med, "MED of a drained L4 host; others have none.", kOptional, 1, kMostAs),
    field("drain_prepend", &Bgp::drain_prepend, "How often a drained L4 host prepends its AS.", kOptional, 1,
          10),
    field("communities", &Bgp::communities,
          "Communities of everything that is announced: \"64500:100\", or large ones, \"64500:1:2\"."),
    field("bfd", &Bgp::bfd, "Sessions are watched by BFD."),
    field("bfd_interval", &Bgp::bfd_interval, "Time between two BFD packets.", kOptional, 10, 60'000),
    field("bfd_multiplier", &Bgp::bfd_multiplier, "BFD packets that must be missing.", kOptional, 2, 255),
    field("hold_time", &Bgp::hold_time, "Without BFD a silent router is given up after so long.", kOptional,
          3'000, 3'600'000),
};

}  // namespace gatehouse::config
