// The options of shares and of our own cookies.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<RoutePool> = std::tuple{
    field("name", &RoutePool::name, "Name of the pool.", kRequired),
    field("weight", &RoutePool::weight, "Its share of the requests is this of the sum of all; 0: none.",
          kOptional, 0, kMostArmWeight),
};

template <>
inline constexpr auto kFields<Mirror> = std::tuple{
    field("pool", &Mirror::pool, "Name of the pool that gets the copies.", kRequired),
    field("percent", &Mirror::percent, "How many of a hundred requests, drawn by lot.", kOptional, 1, 100),
    field("max_body", &Mirror::max_body, "Of a request body: what is longer has no copy.", kOptional, 0, 16 << 20),
};

template <>
inline constexpr auto kFields<OwnCookie> = std::tuple{
    field("cookie", &OwnCookie::cookie, "Name of the cookie.", kRequired),
    field("ttl", &OwnCookie::ttl,
          "How long it holds; a client that comes back in the second half gets a new one that says the same.",
          kOptional, 1'000, 400 * kDay),
    field("path", &OwnCookie::path, "Its Path."),
    field("same_site", &OwnCookie::same_site, "Its SameSite: \"lax\", \"strict\" or \"none\"."),
    field("secure", &OwnCookie::secure, "Its Secure: \"auto\": when the request came over TLS; \"always\"."),
};

template <>
inline constexpr auto kFields<Hash> = std::tuple{
    field("header", &Hash::header, "Name of a header field."),
    field("cookie", &Hash::cookie, "Name of a cookie of the application."),
    field("query", &Hash::query, "Name of a query parameter."),
    field("path", &Hash::path, "The path."),
    field("client", &Hash::client,
          "The client's address; behind a trusted proxy, whom X-Forwarded-For names."),
    field("max_load", &Hash::max_load,
          "A backend with more than so many percent of its share of the requests in flight leaves further "
          "ones to "
          "the next; 0: no bound, else from 101.",
          kOptional, 0, 10'000),
};

template <>
inline constexpr auto kFields<Cookies> = std::tuple{
    field(
        "secret_file", &Cookies::secret_file,
        "File whose content (32 bytes or more) their keys are derived from: the same on every node; default: "
        "tls.ticket_secret_file, else a secret of the node's own, in memory.",
        kPath),
    field("earlier_secret_file", &Cookies::earlier_secret_file,
          "The one before it: cookies of then are believed, and replaced.", kPath),
};

}  // namespace gatehouse::config
