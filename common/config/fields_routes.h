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
          "Its value; `{client_address}`, `{request_id}`, `{route}`, `{sni}`, `{scheme}`, `{host}`, `{path}` and `{query}` (with its `?`) "
          "stand for what they name, `{path.id}` for the `{id}` of a path_template, `{{` for a brace.",
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
};

template <>
inline constexpr auto kFields<Rewrite> = std::tuple{
    field("host", &Rewrite::host, "What the backend gets as Host; X-Forwarded-Host says what the client asked for."),
    field("path", &Rewrite::path, "Whole path, with variables as in header values: \"/v2/users/{path.id}\"."),
    field("replace_prefix", &Rewrite::replace_prefix, "Stands for the route's path_prefix; the rest of the path stays."),
    field("strip_prefix", &Rewrite::strip_prefix, "The route's path_prefix goes; the rest of the path stays."),
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
inline constexpr auto kFields<Route> = std::tuple{
    field("name", &Route::name, "Name of the route; default: that of its pool. Without one pool it must have a name."),
    field("hosts", &Route::hosts, "Host names, exact or \"*.suffix\"; none: any."),
    field("path", &Route::path, "Exact path."),
    field("path_prefix", &Route::path_prefix, "Whole leading segments of the path: \"/api\" takes \"/api/x\", not \"/apix\"."),
    field("pool", &Route::pool, "Pool that answers; or one of pools, redirect, response."),
    field("priority", &Route::priority, "Higher ones are tried first, before specificity.", kOptional, -1000, 1000),
    field("hsts", &Route::hsts, "Value of Strict-Transport-Security, in place of the listener's."),
    field("early_data", &Route::early_data, "Requests may be replayed safely: they are taken as TLS 1.3 early data (0-RTT), with Early-Data: 1."),
    field("path_regex", &Route::path_regex, "RE2 expression of the whole path: after an exact path and templates, before prefixes."),
    field("path_template", &Route::path_template,
          "Path with variables for whole segments: \"/users/{id}/files/{file...}\", the last for all that follows; {path.id} stands for what was there."),
    field("methods", &Route::methods, "Methods; none: any."),
    field("headers", &Route::headers, "Header fields: all of these conditions hold, each for one of the fields of its name."),
    field("cookies", &Route::cookies, "Cookies: the same."),
    field("query", &Route::query, "Query parameters, decoded: the same."),
    field("clients", &Route::clients, "Addresses of clients; none: any. Behind a trusted proxy, whom X-Forwarded-For names."),
    field("accept", &Route::accept,
          "Media types, one of which the client's Accept names, with these parameters: \"application/vnd.api+json;version=2\". Wildcards of the client name none."),
    field("tls", &Route::tls, "What TLS with the client must be like; in the clear it does not hold."),
    field("grpc", &Route::grpc, "gRPC requests for a service, or a method of it; in place of a path."),
    field("redirect", &Route::redirect, "Answers with a redirect."),
    field("response", &Route::response, "Answers with a fixed response."),
    field("rewrite", &Route::rewrite, "What the backend is asked for in place of what the client asked for."),
    field("request_headers", &Route::request_headers, "Changes of the header that the backend gets."),
    field("response_headers", &Route::response_headers, "Changes of the header that the client gets, of our own answers too."),
    field("pools", &Route::pools, "Pools that each answer a share of the requests: tables with name and weight, or names."),
    field("sticky", &Route::sticky,
          "With pools: a cookie keeps the client's place in [0, 1), so that it stays in its pool, and other weights move no more clients than they must."),
    field("priority_class", &Route::priority_class,
          "Who goes first when not all can be served: \"critical\", then \"default\", then \"sheddable\", which is refused before the others are."),
};

template <>
inline constexpr auto kFields<TlsRoute> = std::tuple{
    field("name", &TlsRoute::name, "Name of the route; default: that of its pool."),
    field("hosts", &TlsRoute::hosts, "Server names, exact or \"*.suffix\".", kRequired),
    field("pool", &TlsRoute::pool, "Pool whose backends get the connection.", kRequired),
};

}  // namespace gatehouse::config
