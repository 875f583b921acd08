// The options of protection: prefix lists, limits by source, SYN cookies.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Protection> = std::tuple{
    field("drop_bogus", &Protection::drop_bogus,
          "Drop packets that no stack sends at every VIP, not only at those that a list or a limit names."),
    field("prefixes", &Protection::prefixes, "Room for rules of all prefix lists together.", kOptional, 1'024,
          1'000'000),
    field("sources", &Protection::sources, "Room for sources that limits know at a time.", kOptional, 1'024,
          16'777'216),
    field("syn_cookies", &Protection::syn_cookies,
          "On nodes, before a socket exists: \"auto\" while a listener's queue of handshakes is full, "
          "\"always\", or \"off\"."),
};

template <>
inline constexpr auto kFields<PrefixList> = std::tuple{
    field("name", &PrefixList::name, "Name of the list, for people and for `gatehouse prefix`.", kRequired),
    field("action", &PrefixList::action,
          "\"deny\", \"allow\", or \"exempt\": allowed, and not limited either. The longest prefix decides; "
          "of equal ones deny."),
    field("prefixes", &PrefixList::prefixes, "Prefixes of sources; an address alone is one of its own."),
    field("file", &PrefixList::file,
          "File with more of them, one to a line; read at start and at every reload.", kPath),
    field("vips", &PrefixList::vips, "VIPs whose packets the list judges. Default: every VIP."),
};

template <>
inline constexpr auto kFields<SourceLimit> = std::tuple{
    field("name", &SourceLimit::name, "Name of the limit.", kRequired),
    field("vips", &SourceLimit::vips,
          "VIPs that share the limit. Default: every VIP that no other limit names."),
    field("packets_per_second", &SourceLimit::packets_per_second,
          "Packets that a source may send; 0: no limit.", kOptional, 0, 1'000'000),
    field("packet_burst", &SourceLimit::packet_burst, "Packets at once; 0: as many as in a second.",
          kOptional, 0, 10'000'000),
    field("syns_per_second", &SourceLimit::syns_per_second,
          "New TCP connections that a source may ask for; 0: no limit.", kOptional, 0, 1'000'000),
    field("syn_burst", &SourceLimit::syn_burst, "SYNs at once; 0: as many as in a second.", kOptional, 0,
          10'000'000),
    field("ipv4_prefix", &SourceLimit::ipv4_prefix, "Leading bits of an IPv4 address that make a source.",
          kOptional, 8, 32),
    field("ipv6_prefix", &SourceLimit::ipv6_prefix, "Leading bits of an IPv6 address that make a source.",
          kOptional, 16, 64),
};

}  // namespace gatehouse::config
