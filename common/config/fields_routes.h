// The options of routes.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<ValueMatch> = std::tuple{
    field("name", &ValueMatch::name, "Its name: of a header field in any case, of a cookie or parameter as it is.", kRequired),
    field("exact", &ValueMatch::exact, "The whole value."),
    field("prefix", &ValueMatch::prefix, "How the value begins."),
    field("suffix", &ValueMatch::suffix, "How the value ends."),
    field("contains", &ValueMatch::contains, "What is somewhere in the value."),
    field("regex", &ValueMatch::regex, "RE2 expression of the whole value."),
    field("range", &ValueMatch::range, "The value is a whole number of this range, ends included: \"200-299\", \"7-\", \"-7\"."),
    field("present", &ValueMatch::present, "It is there, with whatever value."),
    field("absent", &ValueMatch::absent, "It is not there."),
};

template <>
inline constexpr auto kFields<HeaderValue> = std::tuple{
    field("name", &HeaderValue::name, "Name of the field.", kRequired),
    field("value", &HeaderValue::value,
          "Its value; `{client_address}`, `{client.country}`, `{request_id}`, `{route}`, `{sni}`, `{scheme}`, `{host}`, `{path}` and `{query}` (with its `?`) "
          "stand for what they name, `{path.id}` for the `{id}` of a path_template or the group `(?P<id>...)` of a path_regex, `{{` for a brace.",
          kRequired),
};

template <>
inline constexpr auto kFields<HeaderChanges> = std::tuple{
    field("set", &HeaderChanges::set, "Fields that are there once, with this value, whatever came."),
    field("add", &HeaderChanges::add, "Fields that are there beside what came."),
    field("remove", &HeaderChanges::remove, "Names of fields that do not pass."),
};

template <>
inline constexpr auto kFields<Redirect> = std::tuple{
    field("status", &Redirect::status, "301, 302, 303, 307 or 308."),
    field("target", &Redirect::target, "The whole URL, with variables as in header values: \"https://{host}{path}{query}\"."),
    field("scheme", &Redirect::scheme, "\"http\" or \"https\"; default: the request's. Another one drops the port."),
    field("host", &Redirect::host, "Host, with a port where it is not the scheme's own; default: the request's."),
    field("path", &Redirect::path, "Whole path; default: the request's."),
    field("replace_prefix", &Redirect::replace_prefix, "Stands for the route's path_prefix; the rest of the path stays."),
    field("query", &Redirect::query, "Query without '?', empty for none; default: the request's."),
};

template <>
inline constexpr auto kFields<DirectResponse> = std::tuple{
    field("status", &DirectResponse::status, "Status code.", kOptional, 200, 599),
    field("headers", &DirectResponse::headers, "Fields of the response; without a Content-Type it is plain text."),
    field("body", &DirectResponse::body, "Text of the body."),
    field("file", &DirectResponse::file, "File of the body, up to 256 KiB: read with the config, and again when it is replaced.", kPath),
    field("content_type", &DirectResponse::content_type, "Content-Type of the body; default: plain text in UTF-8."),
};

template <>
inline constexpr auto kFields<QueryParameter> = std::tuple{
    field("name", &QueryParameter::name, "Name of the parameter, not encoded.", kRequired),
    field("value", &QueryParameter::value, "Its value, not encoded, with variables as in header values.", kRequired),
};

template <>
inline constexpr auto kFields<QueryChanges> = std::tuple{
    field("set", &QueryChanges::set, "Parameters that are there once, with this value, whatever came."),
    field("add", &QueryChanges::add, "Parameters that are there beside what came."),
    field("remove", &QueryChanges::remove, "Names of parameters that do not pass, not encoded."),
};

template <>
inline constexpr auto kFields<Rewrite> = std::tuple{
    field("host", &Rewrite::host, "What the backend gets as Host; X-Forwarded-Host says what the client asked for."),
    field("path", &Rewrite::path, "Whole path, with variables as in header values: \"/v2/users/{path.id}\"."),
    field("replace_prefix", &Rewrite::replace_prefix, "Stands for the route's path_prefix; the rest of the path stays."),
    field("strip_prefix", &Rewrite::strip_prefix, "The route's path_prefix goes; the rest of the path stays."),
    field("regex", &Rewrite::regex, "RE2 expression of the whole path, with groups for the substitution; a path that it does not take stays as it is."),
    field("substitution", &Rewrite::substitution, "With regex: the new path, where `\\1` to `\\9` stand for what its groups took: \"/v2/\\\\2/\\\\1\"."),
    field("query", &Rewrite::query, "Changes of the query that the backend gets."),
};

template <>
inline constexpr auto kFields<TlsMatch> = std::tuple{
    field("versions", &TlsMatch::versions, "\"1.2\", \"1.3\"; none: any."),
    field("sni", &TlsMatch::sni, "Server names that the client asked for, exact or \"*.suffix\"; none: any."),
    field("client_subject", &TlsMatch::client_subject,
          "RE2 expression of the whole subject of the client's verified certificate, as backends get it: \"CN=ops,O=Example\"."),
};

template <>
inline constexpr auto kFields<GrpcMatch> = std::tuple{
    field("service", &GrpcMatch::service, "Name of the service with its package: \"shop.v1.Orders\".", kRequired),
    field("method", &GrpcMatch::method, "Name of the method; default: any."),
};

template <>
inline constexpr auto kFields<RouteMatch> = std::tuple{
    field("path", &RouteMatch::path, "Exact path."),
    field("path_prefix", &RouteMatch::path_prefix, "Whole leading segments of the path: \"/api\" takes \"/api/x\", not \"/apix\"."),
    field("path_regex", &RouteMatch::path_regex, "RE2 expression of the whole path: after an exact path and templates, before prefixes."),
    field("path_template", &RouteMatch::path_template,
          "Path with variables for whole segments: \"/users/{id}/files/{file...}\", the last for all that follows; {path.id} stands for what was there."),
    field("methods", &RouteMatch::methods, "Methods; none: any."),
    field("headers", &RouteMatch::headers, "Header fields: all of these conditions hold, each for one of the fields of its name."),
    field("cookies", &RouteMatch::cookies, "Cookies: the same."),
    field("query", &RouteMatch::query, "Query parameters, decoded: the same."),
    field("clients", &RouteMatch::clients, "Addresses of clients; none: any. Behind a trusted proxy, whom X-Forwarded-For names."),
    field("countries", &RouteMatch::countries, "Countries of the client, as [countries] tells: \"DE\", \"AT\"; none: any."),
    field("accept", &RouteMatch::accept,
          "Media types, one of which the client's Accept names, with these parameters: \"application/vnd.api+json;version=2\". Wildcards of the client name none."),
    field("tls", &RouteMatch::tls, "What TLS with the client must be like; in the clear it does not hold."),
    field("grpc", &RouteMatch::grpc, "gRPC requests for a service, or a method of it; in place of a path."),
};

template <>
inline constexpr auto kFields<RouteRetry> = std::tuple{
    field("attempts", &RouteRetry::attempts, "Tries of a request at most, each on another backend; 1: it is never repeated.", kOptional, 1, kMostAttempts),
    field("status", &RouteRetry::status, "Answers of a backend, such as [502, 503], after which another is tried.", kOptional, 400, 599),
    field("try_timeout", &RouteRetry::try_timeout,
          "To the head of the response: then another backend is tried; \"0s\": none is, after response_timeout.", kOptional, 0, kDay),
};

template <>
inline constexpr auto kFields<Route> = std::tuple_cat(
    std::tuple{
        field("name", &Route::name, "Name of the route; default: that of its pool. Without one pool it must have a name."),
        field("hosts", &Route::hosts, "Host names, exact or \"*.suffix\"; none, and no host_regexes: any."),
        field("host_regexes", &Route::host_regexes, "RE2 expressions of the whole host, in any case: after hosts, before routes of any host."),
    },
    kFields<RouteMatch>,
    std::tuple{
        field("matches", &Route::matches,
              "Several such matches: tables with the options from path to grpc. One of them must hold, and each has its own place in the order."),
        field("pool", &Route::pool, "Pool that answers; or one of pools, redirect, response."),
        field("priority", &Route::priority, "Higher ones are tried first, before specificity.", kOptional, -1000, 1000),
        field("hsts", &Route::hsts, "Value of Strict-Transport-Security, in place of the listener's."),
        field("early_data", &Route::early_data, "Requests may be replayed safely: they are taken as TLS 1.3 early data (0-RTT), with Early-Data: 1."),
        field("redirect", &Route::redirect, "Answers with a redirect."),
        field("response", &Route::response, "Answers with a fixed response."),
        field("rewrite", &Route::rewrite, "What the backend is asked for in place of what the client asked for."),
        field("request_headers", &Route::request_headers, "Changes of the header that the backend gets."),
        field("response_headers", &Route::response_headers, "Changes of the header that the client gets, of our own answers too."),
        field("pools", &Route::pools, "Pools that each answer a share of the requests: tables with name and weight, or names."),
        field("mirror", &Route::mirror, "Another pool gets copies of requests; what it answers is dropped, and nobody waits for it."),
        field("sticky", &Route::sticky,
              "With pools: a cookie keeps the client's place in [0, 1), so that it stays in its pool, and other weights move no more clients than they must."),
        field("request_timeout", &Route::request_timeout, "In place of the listener's request_timeout; \"0s\": that.", kOptional, 0, 365 * kDay),
        field("response_timeout", &Route::response_timeout, "In place of the pool's response_timeout; \"0s\": that.", kOptional, 0, kDay),
        field("max_body", &Route::max_body, "In place of the listener's max_body; 0: that."),
        field("retry", &Route::retry, "In place of what the pool's retry says of the same."),
        field("hedge_after", &Route::hedge_after,
              "A request that may be repeated and has no answer so long after it was sent goes to another backend as well, within the pool's budget of retries: the first head of an "
              "answer is the answer, and the other copy is cancelled. \"0s\": none does.",
              kOptional, 0, kDay),
        field("priority_class", &Route::priority_class,
              "Who goes first when not all can be served: \"critical\", then \"default\", then \"sheddable\", which is refused before the others are."),
    });

template <>
inline constexpr auto kFields<TlsRoute> = std::tuple{
    field("name", &TlsRoute::name, "Name of the route; default: that of its pool."),
    field("hosts", &TlsRoute::hosts, "Server names, exact or \"*.suffix\".", kRequired),
    field("pool", &TlsRoute::pool, "Pool whose backends get the connection.", kRequired),
};

}  // namespace gatehouse::config
