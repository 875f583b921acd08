// The options of services and of their flow cache.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Server> = std::tuple{
    field("id", &Server::id,
          "Number of the server, of the same numbers as the nodes'; never reused for another machine.",
          kRequired, 1, 4095),
    field("name", &Server::name, "Name for `gatehouse drain` and for people.", kRequired),
    field("address", &Server::address,
          "Where its packets go: outer destination, or with \"nat\" the destination.", kRequired),
    field("port", &Server::port, "With \"nat\": the server's port, when it is not the VIP's.", kOptional, 1,
          65535),
    field("weight", &Server::weight,
          "Share of new flows, relative to other servers; 0: none, it keeps those it has.", kOptional, 0,
          10'000),
    field("quic_id", &Server::quic_id,
          "QUIC: the server id in its connection ids, in hexadecimal; of one length in a service."),
};

template <>
inline constexpr auto kFields<ServerCheck> = std::tuple{
    field("kind", &ServerCheck::kind, "\"tcp\", \"udp\" or \"none\" (always healthy)."),
    field("way", &ServerCheck::way,
          "\"tunnel\": to the VIP, as clients' packets go; \"direct\": to the server's address. Default: "
          "tunnel, but for \"nat\"."),
    field("port", &ServerCheck::port, "Port of the check; default: the port that clients' packets go to.",
          kOptional, 1, 65535),
    field("request", &ServerCheck::request, "What is sent; \"\\\\xNN\" is a byte. A UDP check needs one."),
    field("expect", &ServerCheck::expect,
          "What the answer must contain; default: any answer, of TCP a connection."),
    field("interval", &ServerCheck::interval, "Time between two checks of a server.", kOptional, 50, kDay),
    field("timeout", &ServerCheck::timeout, "A check without an answer by then has failed.", kOptional, 10,
          kDay),
    field("rise", &ServerCheck::rise, "Successes in a row that bring a server up.", kOptional, 1, 100),
    field("fall", &ServerCheck::fall, "Failures in a row that take it down.", kOptional, 1, 100),
};

template <>
inline constexpr auto kFields<QuicConfig> = std::tuple{
    field("config_id", &QuicConfig::config_id,
          "First three bits of connection ids made by this configuration.", kOptional, 0, 6),
    field("nonce_length", &QuicConfig::nonce_length, "Bytes of the nonce; with the server id 19 at most.",
          kOptional, 4, 18),
    field("key_file", &QuicConfig::key_file,
          "File with the AES key, 32 hexadecimal digits; none: server ids are in the clear.", kPath),
};

inline constexpr std::int64_t kLongestIdle = 8 * 3'600'000;  // half of what the ages of flows can tell apart

template <>
inline constexpr auto kFields<Service> = std::tuple{
    field("name", &Service::name, "Name of the service.", kRequired),
    field("vips", &Service::vips, "Its VIPs.", kRequired),
    field("servers", &Service::servers, "Who serves them.", kRequired),
    field("encapsulation", &Service::encapsulation,
          "\"ipip\" or \"gue\": tunnelled, answers go to the client directly; \"nat\": address and port are "
          "rewritten both ways."),
    field("hash", &Service::hash,
          "What makes a flow: \"flow\" (addresses and ports), \"addresses\" or \"source\" (the client's)."),
    field("flow_cache", &Service::flow_cache, "Flows keep their server when others come and go."),
    field("tcp_idle", &Service::tcp_idle, "A TCP flow without packets is forgotten after this.", kOptional,
          1'000, kLongestIdle),
    field("udp_idle", &Service::udp_idle, "A UDP flow without packets is forgotten after this.", kOptional,
          1'000, kLongestIdle),
    field("drain_timeout", &Service::drain_timeout, "How long a draining server keeps its flows.", kOptional,
          0, 30 * kDay),
    field("check", &Service::check, "How its servers are checked."),
    field("quic", &Service::quic, "QUIC-LB: flows follow the server id in the connection id."),
};

template <>
inline constexpr auto kFields<FlowCache> = std::tuple{
    field("flows", &FlowCache::flows,
          "Flows that can be remembered, of 8 bytes each; rounded up to a power of two.", kOptional, 8,
          1 << 27),
};

}  // namespace gatehouse::config
