// The options of listeners, pools and the log.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<PathRules> = std::tuple{
    field("dot_segments", &PathRules::dot_segments,
          "/a/../b: \"resolve\" (/b), \"refuse\" or \"keep\". What only some servers read as one, such as /..;/, is refused unless kept."),
    field("encoded_slashes", &PathRules::encoded_slashes, "%2F, %5C and '\\': \"refuse\", \"decode\" (a slash like any other) or \"keep\"."),
    field("double_slashes", &PathRules::double_slashes, "//: \"merge\" (/), \"refuse\" or \"keep\"."),
};

template <>
inline constexpr auto kFields<Listener> = std::tuple{
    field("name", &Listener::name, "Name of the listener.", kRequired),
    field("vips", &Listener::vips, "VIPs whose connections it takes (on nodes of a site)."),
    field("addresses", &Listener::addresses, "address:port to bind directly (without an L4 tier)."),
    field("certificates", &Listener::certificates, "Certificates, chosen by SNI, the first is the default; none: clear text."),
    field("trusted_proxies", &Listener::trusted_proxies, "Addresses and prefixes whose X-Forwarded-* and Forwarded fields are believed; only they may send PROXY headers."),
    field("mode", &Listener::mode, "\"http\"; \"tcp\": bytes as they come, to `pool`; \"tls-passthrough\": TLS undecrypted, by [[tls_route]]."),
    field("pool", &Listener::pool, "Pool of mode \"tcp\"; of \"tls-passthrough\": of connections that match no [[tls_route]]."),
    field("proxy_protocol", &Listener::proxy_protocol, "Every connection begins with a PROXY header (v1 or v2) of one of the trusted_proxies."),
    field("max_connections", &Listener::max_connections, "Open at once, per worker: further ones wait in the kernel's queue; 0: as many as there are descriptors for.",
          kOptional, 0, 10'000'000),
    field("max_connections_per_client", &Listener::max_connections_per_client,
          "Open at once from one address (IPv6: one /64), per worker: further ones are reset; 0: no limit.", kOptional, 0, 10'000'000),
    field("max_requests", &Listener::max_requests, "Requests on one connection, which then ends; 0: no limit.", kOptional, 0, 1'000'000'000),
    field("max_age", &Listener::max_age,
          "A connection older than this, a tenth more or less by chance, ends with its next request, HTTP/2 with the streams that it has then: new ones are spread over "
          "all nodes and workers that there are by now; \"0s\": none does.",
          kOptional, 0, 7 * kDay),
    field("tls", &Listener::tls, "Versions, ciphers and groups."),
    field("client_certificates", &Listener::client_certificates,
          "\"none\", \"request\" (and tell the backend) or \"require\"."),
    field("client_ca", &Listener::client_ca, "PEM file: authorities that sign clients' certificates.", kPath),
    field("client_crl", &Listener::client_crl, "PEM file: revocation lists of these authorities.", kPath),
    field("handshake_timeout", &Listener::handshake_timeout, "From the connection to the end of its TLS handshake.", kOptional, 100, kDay),
    field("hsts", &Listener::hsts, "Value of Strict-Transport-Security in responses over TLS, such as \"max-age=31536000\"."),
    field("max_header", &Listener::max_header, "Request line and fields together; beyond: 431.", kOptional, 1024, 65536),
    field("paths", &Listener::paths, "What becomes of paths that servers read in different ways: routes and backends see the outcome. Refused: 400."),
    field("max_uri", &Listener::max_uri, "Request target; beyond: 414.", kOptional, 256, 65536),
    field("max_header_fields", &Listener::max_header_fields, "Number of header fields; beyond: 431.", kOptional, 8, 128),
    field("max_body", &Listener::max_body, "Request body; beyond: 413."),
    field("header_timeout", &Listener::header_timeout, "From the first byte of a request to the end of its head; then 408.",
          kOptional, 100, kDay),
    field("idle_timeout", &Listener::idle_timeout, "Between requests, and without progress in a body.", kOptional, 100, kDay),
    field("request_timeout", &Listener::request_timeout,
          "From the head of a request to the end of its answer, retries included: then 504, or the answer breaks off. Not of WebSockets. \"0s\": it may take any time.", kOptional, 0,
          365 * kDay),
    field("stream_timeout", &Listener::stream_timeout, "WebSocket and gRPC streams: without a byte in either direction.", kOptional, 100, 365 * kDay),
    field("http2", &Listener::http2, "HTTP/2 is offered to TLS clients (ALPN)."),
    field("h2c", &Listener::h2c, "Clear text: clients may begin in HTTP/2 without asking (prior knowledge)."),
    field("max_streams", &Listener::max_streams, "HTTP/2: requests at once on one connection.", kOptional, 1, 1'000),
    field("stream_window", &Listener::stream_window, "HTTP/2: what a client may send of a request body ahead of its backend; a connection's window is 16 times that.",
          kOptional, 16 * 1024, 128 * 1024),
};

template <>
inline constexpr auto kFields<Backend> = std::tuple{
    field("address", &Backend::address, "address:port of the server.", kRequired),
    field("weight", &Backend::weight, "Share of requests, relative to other backends; 0: none.", kOptional, 0, kMostBackendWeight),
    field("zone", &Backend::zone, "Where it is: nodes with the same zone prefer it."),
    field("backup", &Backend::backup, "It gets requests only while no other backend is healthy; not when they are full."),
};

template <>
inline constexpr auto kFields<Health> = std::tuple{
    field("kind", &Health::kind, "\"http\": an answer to a request, by HTTP/2 where the pool speaks it; \"tcp\": a connection; \"tls\": a handshake; "
          "\"grpc\": SERVING by grpc.health.v1.Health."),
    field("path", &Health::path, "http: path of the check; empty: no check, always healthy."),
    field("method", &Health::method, "http: \"GET\", \"HEAD\" or \"OPTIONS\"."),
    field("host", &Health::host, "Host field of the check; default: the backend's address."),
    field("status", &Health::status, "Status codes that are healthy.", kOptional, 100, 599),
    field("degraded_status", &Health::degraded_status,
          "Status codes of a backend that gets requests only while none is better.", kOptional, 100, 599),
    field("body_contains", &Health::body_contains, "Text that the answer's body must contain."),
    field("body_matches", &Health::body_matches, "RE2 expression that a part of the answer's body must match."),
    field("service", &Health::service, "grpc: the service that is asked for; empty: the server as a whole."),
    field("request", &Health::request, "tcp, tls: what is sent; \"\\\\xNN\" is a byte."),
    field("expect", &Health::expect, "tcp, tls: what the answer must contain; empty: a connection is enough."),
    field("port", &Health::port, "Port of the check; 0: the backend's.", kOptional, 0, 65535),
    field("interval", &Health::interval, "Time between two checks of a backend, now and then up to a tenth less.", kOptional, 50, kDay),
    field("fast_interval", &Health::fast_interval, "The same while results are not what the verdict is; \"0s\": interval.", kOptional, 0, kDay),
    field("timeout", &Health::timeout, "A check without an answer by then has failed.", kOptional, 10, kDay),
    field("rise", &Health::rise, "Successes in a row that bring a backend back.", kOptional, 1, 100),
    field("fall", &Health::fall, "Failures in a row that take it out.", kOptional, 1, 100),
};

template <>
inline constexpr auto kFields<Pool> = std::tuple{
    field("name", &Pool::name, "Name that routes refer to.", kRequired),
    field("backends", &Pool::backends, "Servers: \"address:port\", or tables with address and weight."),
    field("discovery", &Pool::discovery, "Where further servers are found; what changes there touches nothing that stays."),
    field("health", &Pool::health, "How they are checked."),
    field("tls", &Pool::tls, "TLS to them."),
    field("connect_timeout", &Pool::connect_timeout, "To connect to a backend; then 504.", kOptional, 10, kDay),
    field("response_timeout", &Pool::response_timeout, "To the head of the response, then 504; and without progress in its body.",
          kOptional, 10, kDay),
    field("max_idle", &Pool::max_idle, "Idle connections kept to a backend, per worker.", kOptional, 0, 100'000),
    field("idle_timeout", &Pool::idle_timeout, "An idle connection is closed after this.", kOptional, 100, kDay),
    field("max_age", &Pool::max_age,
          "A connection older than this, a tenth more or less by chance, takes no further request: it ends when it is idle, after its exchange, or with its last stream; \"0s\": any age.",
          kOptional, 0, 365 * kDay),
    field("min_idle", &Pool::min_idle,
          "Connections that each worker keeps ready to each backend beside those in use (h2: that take further requests), made before requests ask for them; "
          "only to backends that get requests.",
          kOptional, 0, 10'000),
    field("source_addresses", &Pool::source_addresses,
          "Addresses that connections and checks come from: of each family the first that is the node's own, so that one list serves all nodes; of a family without any the kernel chooses."),
    field("connect_attempt_delay", &Pool::connect_attempt_delay,
          "After so long without a connection a request goes to another backend, if there is one and the budget of retries allows; the connection is kept when it comes. \"0s\": only after connect_timeout.",
          kOptional, 0, kDay),
    field("end_when_down", &Pool::end_when_down,
          "WebSockets, gRPC calls and relayed connections end at once when their backend is found down by checks, or disabled; else they go on for as long as they can."),
    field("max_requests", &Pool::max_requests, "Requests on one connection, which then ends; 0: no limit. Those at once are a matter of `limits`.", kOptional, 0,
          1'000'000'000),
    field("protocol", &Pool::protocol, "\"http1\", or \"h2\": HTTP/2, in the clear with prior knowledge."),
    field("max_streams", &Pool::max_streams, "h2: requests at once on one connection, of those that the backend allows; further ones open another.",
          kOptional, 1, 1'000),
    field("proxy_protocol", &Pool::proxy_protocol, "\"v1\" or \"v2\": its connections begin with a PROXY header, each is of one client only."),
    field("retry", &Pool::retry, "When a request is tried again on another backend."),
    field("ejection", &Pool::ejection, "When a backend that fails requests gets none for a while."),
    field("limits", &Pool::limits, "What is answered 503 at once, unless there is a queue; exact over the workers of a node."),
    field("adaptive_limit", &Pool::adaptive_limit, "A limit of requests in flight that follows from how fast they are answered."),
    field("queue", &Pool::queue, "Who may wait in front of a pool that is full."),
    field("panic", &Pool::panic, "When too few backends are healthy: \"refuse\" (503), \"answer\": panic_answer, or \"use-all\": unhealthy and ejected ones too, drained ones never."),
    field("panic_answer", &Pool::panic_answer, "What clients get then with panic = \"answer\"."),
    field("panic_below", &Pool::panic_below, "Percent of healthy backends below which that is; 0: when there is none.", kOptional, 0, 100),
    field("policy", &Pool::policy, "Who is next, always by weight: \"round-robin\"; \"least-request\": who has least in flight on the node; \"two-choices\": of two drawn by lot who has less; "
          "\"peak-ewma\": of two who would answer first, by the time to the heads of answers and requests in flight; \"random\"; \"maglev\" or \"ring-hash\": whom the hash says, and "
          "round-robin for requests without it."),
    field("hash", &Pool::hash, "What maglev and ring-hash look at: one of header, cookie, query, path, client."),
    field("affinity", &Pool::affinity, "A cookie of ours keeps clients with the backend that answered them, until it is drained or down."),
    field("overprovision", &Pool::overprovision,
          "Percent of what they carry that backends can carry: while those of the node's own zone that are well make up 100 by this, they get all requests; "
          "else the rest goes to other zones. 0: zones do not matter.", kOptional, 0, 1'000),
    field("slow_start", &Pool::slow_start, "A backend that has recovered or been enabled grows to its whole weight in this time; \"0s\": at once.", kOptional, 0, kDay),
};

template <>
inline constexpr auto kFields<Countries> = std::tuple{
    field("database", &Countries::database, "File in MaxMind's format with the countries of addresses, such as GeoLite2-Country.mmdb.", kPath),
    field("header", &Countries::header, "Field in which trusted_proxies say the client's country, such as \"CF-IPCountry\"; it goes before the database."),
};

template <>
inline constexpr auto kFields<AccessLog> = std::tuple{
    field("file", &AccessLog::file, "File that gets one JSON line per exchange; empty: off.", kPath),
    field("sample", &AccessLog::sample,
          "Share of the exchanges and relays that get their line, by lot; those with an error, a 5xx or without an answer always do. "
          "`weight` of a line says for how many it stands.",
          kOptional, 0, 1),
};

}  // namespace gatehouse::config
