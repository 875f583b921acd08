// Orders the routes, indexes them by host and path, and looks requests up.
#include "l7/router.h"

#include <algorithm>
#include <tuple>

#include "l7/folded_host.h"

namespace gatehouse::l7 {
namespace {

// Keeps `lengths` distinct, longest first.
void note_length(std::vector<std::size_t>& lengths, std::size_t length) {
  const auto place = std::lower_bound(lengths.begin(), lengths.end(), length, std::greater<>());
  if (place == lengths.end() || *place != length) lengths.insert(place, length);
}

}  // namespace

Router::Router(const std::vector<config::Route>& routes) {
  candidates_.reserve(routes.size());
  conditions_.reserve(routes.size());
  for (std::size_t i = 0; i < routes.size(); ++i) {
    const config::Route& route = routes[i];
    conditions_.emplace_back(route);
    if (!route.path_template.empty()) templates_.emplace(i, *config::PathTemplate::parse(route.path_template));
    if (!route.path_regex.empty()) path_regexes_.emplace(i, WholeRegex(route.path_regex));
    looks_at_client_ |= !route.clients.empty();
    looks_at_tls_ |= route.tls.has_value();
    if (route.hosts.empty()) add(route, i, "");
    for (const std::string& host : route.hosts) add(route, i, host);
  }
  std::stable_sort(candidates_.begin(), candidates_.end(), [&routes](const Candidate& left, const Candidate& right) {
    return goes_before(left, right, routes);
  });
  for (Rank rank = 0; rank < candidates_.size(); ++rank) index(rank);
}

void Router::add(const config::Route& route, std::size_t index, const std::string& host) {
  const bool is_wildcard = host.starts_with("*.");
  const std::string_view pattern = is_wildcard ? std::string_view(host).substr(1) : std::string_view(host);
  Candidate candidate{index, std::string(FoldedHost(pattern).view()), is_wildcard, PathKind::kPrefix, route.path_prefix, 0};
  if (candidate.path.ends_with('/')) candidate.path.pop_back();
  if (!route.path_regex.empty()) {
    candidate.path_kind = PathKind::kRegex;
    candidate.path = route.path_regex;
  }
  if (!route.path.empty()) {
    candidate.path_kind = PathKind::kExact;
    candidate.path = route.path;
  }
  if (!route.path_template.empty()) {
    candidate.path_kind = PathKind::kTemplate;
    candidate.path = route.path_template;
  }
  // A method of a service is a path (gRPC over HTTP/2, Requests).
  if (route.grpc) {
    candidate.path_kind = route.grpc->method.empty() ? PathKind::kPrefix : PathKind::kExact;
    candidate.path = "/" + route.grpc->service + (route.grpc->method.empty() ? "" : "/" + route.grpc->method);
  }
  candidate.length = candidate.path_kind == PathKind::kTemplate ? templates_.at(index).literal_bytes() : candidate.path.size();
  candidates_.push_back(std::move(candidate));
}

bool Router::goes_before(const Candidate& left, const Candidate& right, const std::vector<config::Route>& routes) {
  const auto key = [&routes](const Candidate& candidate) {
    const config::Route& route = routes[candidate.route];
    const int host_class = candidate.host.empty() ? 2 : candidate.is_wildcard ? 1 : 0;
    const auto most_first = [](std::size_t count) { return -static_cast<std::ptrdiff_t>(count); };
    return std::tuple(-route.priority, host_class, host_class == 1 ? most_first(candidate.host.size()) : 0, candidate.path_kind,
                      most_first(candidate.length), route.methods.empty(),
                      most_first(route.headers.size() + route.cookies.size() + !route.accept.empty()), most_first(route.query.size()),
                      route.clients.empty(), !route.tls);
  };
  return key(left) < key(right);
}

void Router::Beginnings::add(const std::string& beginning, Rank rank) {
  note_length(lengths, beginning.size());
  ranks[beginning].push_back(rank);
}

void Router::index(Rank rank) {
  const Candidate& candidate = candidates_[rank];
  if (candidate.is_wildcard) note_length(wildcard_lengths_, candidate.host.size());
  Paths& paths = candidate.is_wildcard ? wildcards_[candidate.host] : candidate.host.empty() ? any_ : exact_[candidate.host];
  switch (candidate.path_kind) {
    case PathKind::kExact: paths.exact[candidate.path].push_back(rank); break;
    case PathKind::kRegex: paths.regexes.push_back(rank); break;
    case PathKind::kTemplate: paths.templates.add(templates_.at(candidate.route).fixed(), rank); break;
    case PathKind::kPrefix: paths.prefixes.add(candidate.path, rank); break;
  }
}

void Router::improve(const Ranks& ranks, const RouteAsk& ask, Rank& best) const {
  for (const Rank rank : ranks) {
    if (rank >= best) return;
    const Candidate& candidate = candidates_[rank];
    const bool takes = candidate.path_kind != PathKind::kTemplate || templates_.at(candidate.route).takes(ask.path);
    if (takes && conditions_[candidate.route].hold(ask)) {
      best = rank;
      return;
    }
  }
}

void Router::improve(const Paths& paths, const RouteAsk& ask, Rank& best) const {
  if (!paths.exact.empty()) {
    if (const auto found = paths.exact.find(ask.path); found != paths.exact.end()) improve(found->second, ask, best);
  }
  improve(paths.templates, ask, best);
  for (const Rank rank : paths.regexes) {
    if (rank >= best) break;
    const std::size_t route = candidates_[rank].route;
    if (path_regexes_.at(route).takes(ask.path) && conditions_[route].hold(ask)) best = rank;
  }
  improve(paths.prefixes, ask, best);
}

void Router::improve(const Beginnings& beginnings, const RouteAsk& ask, Rank& best) const {
  for (const std::size_t length : beginnings.lengths) {
    const bool ends_segment = length == 0 || length == ask.path.size() || (length < ask.path.size() && ask.path[length] == '/');
    if (!ends_segment) continue;
    const auto found = beginnings.ranks.find(ask.path.substr(0, length));
    if (found != beginnings.ranks.end()) improve(found->second, ask, best);
  }
}

std::size_t Router::match(const RouteAsk& ask) const {
  const FoldedHost folded(ask.host);
  const std::string_view host = folded.view();
  Rank best = kNone;
  if (const auto found = exact_.find(host); found != exact_.end()) improve(found->second, ask, best);
  for (const std::size_t length : wildcard_lengths_) {
    if (length >= host.size() || host[host.size() - length] != '.') continue;
    const auto found = wildcards_.find(host.substr(host.size() - length));
    if (found != wildcards_.end()) improve(found->second, ask, best);
  }
  improve(any_, ask, best);
  return best == kNone ? kNoRoute : candidates_[best].route;
}

}  // namespace gatehouse::l7
