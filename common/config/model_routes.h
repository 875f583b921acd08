// The part of the config model that is about routes: see model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/config/model_affinity.h"
#include "common/units.h"

namespace gatehouse::config {

// A condition on the values of one name: of a header field, a cookie, a query parameter. Exactly one of the others is set.
struct ValueMatch {
  std::string name;
  std::optional<std::string> exact;
  std::string prefix;
  std::string suffix;
  std::string contains;
  std::string regex;
  std::string range;                    // "200-299", "7-", "-7": see NumberRange
  bool present = false;
  bool absent = false;
  bool operator==(const ValueMatch&) const = default;
};

// Whole numbers between two, both of them in it.
struct NumberRange {
  std::int64_t least = INT64_MIN;
  std::int64_t most = INT64_MAX;
  // Of "200-299", "200-", "-299"; negative numbers cannot be said. nullopt: it is none.
  static std::optional<NumberRange> parse(std::string_view text);
};

// What TLS with the client says. All that is there must hold.
struct TlsMatch {
  std::vector<std::string> versions;    // "1.2", "1.3"
  std::vector<std::string> sni;         // exact or "*.suffix"
  std::string client_subject;           // RE2, of the whole subject of a verified certificate (RFC 2253)
  bool operator==(const TlsMatch&) const = default;
};

struct GrpcMatch {
  std::string service;                  // with its package
  std::string method;                   // empty: any
  bool operator==(const GrpcMatch&) const = default;
};

struct HeaderValue {
  std::string name;
  std::string value;                    // a template: common/config/template.h
};

// What happens to the header of a message that passes.
struct HeaderChanges {
  std::vector<HeaderValue> set;
  std::vector<HeaderValue> add;
  std::vector<std::string> remove;
};

struct Redirect {
  std::uint16_t status = 302;
  std::string target;                   // whole, a template; or what differs from the request:
  std::string scheme;
  std::string host;                     // with port, where it is another
  std::string path;
  std::string replace_prefix;           // stands for the route's path_prefix
  std::optional<std::string> query;     // empty: none
};

struct DirectResponse {
  std::uint16_t status = 200;
  std::vector<HeaderValue> headers;
  std::string body;
  std::string file;                     // in place of the body
  std::string content_type;
  static constexpr std::size_t kMostBytes = 256 << 10;  // of the file
};

struct QueryParameter {
  std::string name;
  std::string value;                    // a template
};

// What happens to the query of a request that passes.
struct QueryChanges {
  std::vector<QueryParameter> set;
  std::vector<QueryParameter> add;
  std::vector<std::string> remove;
};

// What a backend is asked for instead.
struct Rewrite {
  std::string host;
  std::string path;                     // whole, a template
  std::string replace_prefix;           // stands for the route's path_prefix
  bool strip_prefix = false;            // the same, with nothing in its place
  std::string regex;                    // RE2, of the whole path; what it does not take stays
  std::string substitution;             // with \1 for what its first group took
  std::optional<QueryChanges> query;
};

// What a request is worth when not all can be served, the dearest first. In the terms of Google's SRE book: CRITICAL_PLUS,
// CRITICAL (what is not said otherwise), SHEDDABLE; in Envoy's: HIGH and DEFAULT are the first two.
inline constexpr const char* kPriorityClasses[] = {"critical", "default", "sheddable"};

// In place of what the pool says of the same.
struct RouteRetry {
  std::uint32_t attempts = 3;
  std::vector<std::uint16_t> status;
  Duration try_timeout{0};
};

// What a request must be like. All that is there must hold.
struct RouteMatch {
  std::string path;                     // exact
  std::string path_prefix;              // whole segments: "/api" matches "/api" and "/api/x", not "/apix"
  std::string path_regex;               // RE2, of the whole path
  std::string path_template;            // "/users/{id}": path_template.h
  std::vector<std::string> methods;     // none: any
  std::vector<ValueMatch> headers;      // all of them
  std::vector<ValueMatch> cookies;
  std::vector<ValueMatch> query;
  std::vector<IpPrefix> clients;        // one of them; none: any
  std::vector<std::string> countries;   // of the client: one of them; none: any
  std::vector<std::string> accept;      // media types with parameters; one of them is asked for by name
  std::optional<TlsMatch> tls;
  std::optional<GrpcMatch> grpc;        // in place of a path
  bool operator==(const RouteMatch&) const = default;
};

// A route with one match is that match itself: see matches_of().
struct Route : RouteMatch {
  Route();
  Route(const Route& other);
  Route(Route&& other) noexcept;
  Route& operator=(const Route& other);
  Route& operator=(Route&& other) noexcept;
  ~Route();

  std::string name;
  std::vector<std::string> hosts;       // exact or "*.suffix"; none: any host
  std::vector<std::string> host_regexes;  // RE2, of the whole host; beside hosts
  std::vector<RouteMatch> matches;      // in place of the route's own: one of them must hold
  std::string pool;
  std::int32_t priority = 0;            // higher first, before specificity
  std::string hsts;                     // in place of the listener's
  bool early_data = false;              // safe to be replayed: taken as TLS early data
  std::optional<Redirect> redirect;     // in place of a pool
  std::optional<DirectResponse> response;  // the same
  std::optional<Rewrite> rewrite;
  HeaderChanges request_headers;
  HeaderChanges response_headers;
  std::vector<RoutePool> pools;         // in place of a pool: each gets its share
  std::optional<OwnCookie> sticky;      // clients stay with the pool that they got
  std::optional<Mirror> mirror;         // somebody else gets copies
  Duration request_timeout{0};          // to the end of the answer; 0: the listener's
  Duration response_timeout{0};         // in place of the pool's; 0: that
  ByteSize max_body{0};                 // in place of the listener's; 0: that
  std::optional<RouteRetry> retry;      // none: the pool's
  Duration hedge_after{0};              // without an answer another backend is asked as well; 0: none is
  int line = 0;                         // of the file, for what is found out after it was read
  std::string priority_class = "default";  // one of kPriorityClasses
};

// Those that the route has, one at least.
std::span<const RouteMatch> matches_of(const Route& route);

// Where a connection of a passthrough listener goes, by the server name of its ClientHello.
struct TlsRoute {
  std::string name;
  std::vector<std::string> hosts;       // exact or "*.suffix"
  std::string pool;
};

}  // namespace gatehouse::config
