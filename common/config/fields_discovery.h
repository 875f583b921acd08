// The options of discovery.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Discovery> = std::tuple{
    field("dns", &Discovery::dns,
          "name:port, such as \"api.internal:8080\": the addresses of its A and AAAA records."),
    field(
        "srv", &Discovery::srv,
        "Name of SRV records, such as \"_http._tcp.api.internal\": the best priority is used, all others are "
        "backups; weights are shares."),
    field(
        "file", &Discovery::file,
        "File with a backend to a line, address:port, weight=N and backup where they are wanted; or the line "
        "\"none\".",
        kPath),
    field("resolvers", &Discovery::resolvers,
          "DNS servers to ask, such as \"192.0.2.53:53\"; none: the host's."),
    field("family", &Discovery::family, "\"any\", \"ipv4\" or \"ipv6\": which addresses are asked for."),
    field("min_interval", &Discovery::min_interval,
          "DNS is not asked again before that, however short the TTL is, nor after a failure.", kOptional,
          100, kDay),
    field("max_interval", &Discovery::max_interval,
          "DNS is asked again then, however long the TTL is, and between failures.", kOptional, 100, kDay),
    field("timeout", &Discovery::timeout, "Of a question to DNS, repeated ones included.", kOptional, 50,
          kDay),
    field("missing", &Discovery::missing,
          "A backend leaves with so many answers in a row that do not have it: servers that answer with a "
          "part of "
          "their addresses need more.",
          kOptional, 1, 1'000),
    field("hold", &Discovery::hold,
          "The last backends stay for so long when DNS says that there are none; while it fails they stay "
          "anyway.",
          kOptional, 0, 365 * kDay),
};

}  // namespace gatehouse::config
