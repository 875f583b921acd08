// From a request to its route. Built once per Config, immutable, allocates nothing per match.
//
// A route has one match or several, and each has its place in the order (DESIGN.md §5, after the Gateway API): priority; then
// exact host before the longest "*.suffix" before a host's regex before any host; then exact path before the longest template before the longest regex before the longest prefix; then a method, more header fields (Accept too) and cookies,
// more query parameters, clients, countries, TLS; ties go to the route that comes first in the file, and to its first match.
//
// A host's routes are found by hash of the whole path and of its leading segments, of the lengths that some route has: the
// cost follows from what a request could match, not from the number of routes. Its regexes are one set, asked once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/config/model.h"
#include "common/config/path_template.h"
#include "common/regex_set.h"
#include "l7/route_conditions.h"

namespace gatehouse::l7 {

class Router {
 public:
  static constexpr std::size_t kNoRoute = static_cast<std::size_t>(-1);

  struct Found {
    std::size_t route = kNoRoute;  // index into the config's routes
    std::size_t match = 0;         // which of its matches
  };

  explicit Router(const std::vector<config::Route>& routes);

  Found find(const RouteAsk& ask) const;
  std::size_t match(const RouteAsk& ask) const { return find(ask).route; }
  std::size_t match(std::string_view host, std::string_view path) const { return match(RouteAsk{host, path}); }

  // Whether RouteAsk::client matters to any route.
  bool looks_at_client() const { return looks_at_client_; }
  // The same of RouteAsk::country.
  bool looks_at_country() const { return looks_at_country_; }
  // The same of RouteAsk::tls.
  bool looks_at_tls() const { return looks_at_tls_; }

  // For `gatehouse explain`: every match in the order in which they are tried, with why it did or did not hold.
  struct Reason {
    std::size_t route;
    std::size_t match;  // of the route
    bool is_match;
    std::string why;  // "host is not a.example"
  };
  std::vector<Reason> explain(const RouteAsk& ask) const;
  std::vector<Reason> explain(std::string_view host, std::string_view path) const { return explain(RouteAsk{host, path}); }

 private:
  using Rank = std::uint32_t;  // place in candidates_
  static constexpr Rank kNone = static_cast<Rank>(-1);

  enum class HostKind : std::uint8_t { kExact, kWildcard, kRegex, kAny };     // in order
  enum class PathKind : std::uint8_t { kExact, kTemplate, kRegex, kPrefix };  // in order
  struct Host {
    HostKind kind;
    std::string text;  // lower case; ".example" for "*.example"
  };
  // One host pattern of one match.
  struct Candidate {
    Found found;
    std::size_t rule;  // the match among those of all routes
    Host host;
    PathKind path_kind;
    std::string path;         // or template, or regex, or prefix without a trailing '/'
    std::size_t length;       // of the path; of a template: of its literal segments
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  template <typename Value>
  using ByText = std::unordered_map<std::string, Value, Hash, std::equal_to<>>;
  using Ranks = std::vector<Rank>;  // best first

  // Routes by how the path begins.
  struct Beginnings {
    ByText<Ranks> ranks;
    std::vector<std::size_t> lengths;  // that there are, longest first
    void add(const std::string& beginning, Rank rank);
  };

  // The routes of one host.
  struct Paths {
    ByText<Ranks> exact;
    Beginnings templates;
    Beginnings prefixes;
    Ranks regex_ranks;
    RegexSet regexes;  // the same
  };

  static std::vector<Host> hosts_of(const config::Route& route);
  static bool goes_before(const Candidate& left, const Candidate& right, const std::vector<config::Route>& routes);
  void add(const config::RouteMatch& match, Found found, const std::vector<Host>& hosts);
  Candidate candidate_of(const config::RouteMatch& match, std::size_t rule) const;
  void index(Rank rank);
  Paths& paths_of(const Host& host);
  void compile(Paths& paths) const;
  void improve(const Ranks& ranks, const RouteAsk& ask, Rank& best) const;
  void improve(const Beginnings& beginnings, const RouteAsk& ask, Rank& best) const;
  void improve(const Paths& paths, const RouteAsk& ask, Rank& best) const;
  static bool takes_host(const Host& host, std::string_view asked);
  bool takes_path(const Candidate& candidate, std::string_view path) const;
  // Whether it takes the request, and why (not).
  bool judge(const Candidate& candidate, const RouteAsk& ask, std::string& why) const;

  std::vector<Candidate> candidates_;  // in order
  std::vector<RouteConditions> conditions_;  // by rule
  std::unordered_map<std::size_t, config::PathTemplate> templates_;  // the same
  ByText<Paths> exact_;
  ByText<Paths> wildcards_;
  std::vector<std::size_t> wildcard_lengths_;
  ByText<std::size_t> host_patterns_;  // places of
  std::vector<Paths> by_host_regex_;
  RegexSet host_regexes_;              // the same
  Paths any_;
  bool looks_at_client_ = false;
  bool looks_at_country_ = false;
  bool looks_at_tls_ = false;
};

}  // namespace gatehouse::l7
