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
    const std::vector<Host> hosts = hosts_of(routes[i]);
    const auto matches = config::matches_of(routes[i]);
    for (std::size_t k = 0; k < matches.size(); ++k) add(matches[k], {i, k}, hosts);
  }
  std::stable_sort(candidates_.begin(), candidates_.end(), [&routes](const Candidate& left, const Candidate& right) {
    return goes_before(left, right, routes);
  });
  for (Rank rank = 0; rank < candidates_.size(); ++rank) index(rank);
  for (auto& [host, paths] : exact_) compile(paths);
  for (auto& [host, paths] : wildcards_) compile(paths);
  for (Paths& paths : by_host_regex_) compile(paths);
  compile(any_);
  std::vector<std::string> patterns(by_host_regex_.size());
  for (const auto& [pattern, place] : host_patterns_) patterns[place] = pattern;
  host_regexes_ = RegexSet(std::move(patterns), RegexSet::Letters::kInAnyCase);
}

std::vector<Router::Host> Router::hosts_of(const config::Route& route) {
  std::vector<Host> hosts;
  for (const std::string& host : route.hosts) {
    const bool is_wildcard = host.starts_with("*.");
    const FoldedHost folded(is_wildcard ? std::string_view(host).substr(1) : std::string_view(host));
    hosts.push_back({is_wildcard ? HostKind::kWildcard : HostKind::kExact, std::string(folded.view())});
  }
  for (const std::string& regex : route.host_regexes) hosts.push_back({HostKind::kRegex, regex});
  if (hosts.empty()) hosts.push_back({HostKind::kAny, ""});
  return hosts;
}

void Router::add(const config::RouteMatch& match, Found found, const std::vector<Host>& hosts) {
  const std::size_t rule = conditions_.size();
  conditions_.emplace_back(match);
  if (!match.path_template.empty()) templates_.emplace(rule, *config::PathTemplate::parse(match.path_template));
  looks_at_client_ |= !match.clients.empty();
  looks_at_country_ |= !match.countries.empty();
  looks_at_tls_ |= match.tls.has_value();
  Candidate candidate = candidate_of(match, rule);
  candidate.found = found;
  for (const Host& host : hosts) {
    candidate.host = host;
    candidates_.push_back(candidate);
  }
}

Router::Candidate Router::candidate_of(const config::RouteMatch& match, std::size_t rule) const {
  Candidate candidate{{}, rule, {}, PathKind::kPrefix, match.path_prefix, 0};
  const auto set = [&candidate](PathKind kind, const std::string& path) {
    candidate.path_kind = kind;
    candidate.path = path;
  };
  if (candidate.path.ends_with('/')) candidate.path.pop_back();
  if (!match.path_regex.empty()) set(PathKind::kRegex, match.path_regex);
  if (!match.path.empty()) set(PathKind::kExact, match.path);
  if (!match.path_template.empty()) set(PathKind::kTemplate, match.path_template);
  // A method of a service is a path (gRPC over HTTP/2, Requests).
  if (match.grpc && match.grpc->method.empty()) set(PathKind::kPrefix, "/" + match.grpc->service);
  if (match.grpc && !match.grpc->method.empty()) set(PathKind::kExact, "/" + match.grpc->service + "/" + match.grpc->method);
  candidate.length = candidate.path_kind == PathKind::kTemplate ? templates_.at(rule).literal_bytes() : candidate.path.size();
  return candidate;
}

bool Router::goes_before(const Candidate& left, const Candidate& right, const std::vector<config::Route>& routes) {
  const auto key = [&routes](const Candidate& candidate) {
    const config::Route& route = routes[candidate.found.route];
    const config::RouteMatch& match = config::matches_of(route)[candidate.found.match];
    const auto most_first = [](std::size_t count) { return -static_cast<std::ptrdiff_t>(count); };
    return std::tuple(-route.priority, candidate.host.kind, candidate.host.kind == HostKind::kWildcard ? most_first(candidate.host.text.size()) : 0,
                      candidate.path_kind, most_first(candidate.length), match.methods.empty(),
                      most_first(match.headers.size() + match.cookies.size() + !match.accept.empty()), most_first(match.query.size()),
                      match.clients.empty(), match.countries.empty(), !match.tls);
  };
  return key(left) < key(right);
}

void Router::Beginnings::add(const std::string& beginning, Rank rank) {
  note_length(lengths, beginning.size());
  ranks[beginning].push_back(rank);
}

Router::Paths& Router::paths_of(const Host& host) {
  if (host.kind == HostKind::kExact) return exact_[host.text];
  if (host.kind == HostKind::kWildcard) return wildcards_[host.text];
  if (host.kind == HostKind::kAny) return any_;
  const auto [place, is_new] = host_patterns_.emplace(host.text, by_host_regex_.size());
  return is_new ? by_host_regex_.emplace_back() : by_host_regex_[place->second];
}

void Router::index(Rank rank) {
  const Candidate& candidate = candidates_[rank];
  if (candidate.host.kind == HostKind::kWildcard) note_length(wildcard_lengths_, candidate.host.text.size());
  Paths& paths = paths_of(candidate.host);
  switch (candidate.path_kind) {
    case PathKind::kExact: paths.exact[candidate.path].push_back(rank); break;
    case PathKind::kRegex: paths.regex_ranks.push_back(rank); break;
    case PathKind::kTemplate: paths.templates.add(templates_.at(candidate.rule).fixed(), rank); break;
    case PathKind::kPrefix: paths.prefixes.add(candidate.path, rank); break;
  }
}

void Router::compile(Paths& paths) const {
  if (paths.regex_ranks.empty()) return;
  std::vector<std::string> patterns;
  for (const Rank rank : paths.regex_ranks) patterns.push_back(candidates_[rank].path);
  paths.regexes = RegexSet(std::move(patterns));
}

void Router::improve(const Ranks& ranks, const RouteAsk& ask, Rank& best) const {
  for (const Rank rank : ranks) {
    if (rank >= best) return;
    const Candidate& candidate = candidates_[rank];
    const bool takes = candidate.path_kind != PathKind::kTemplate || templates_.at(candidate.rule).takes(ask.path);
    if (takes && conditions_[candidate.rule].hold(ask)) {
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
  const Ranks& ranks = paths.regex_ranks;
  const auto better = std::lower_bound(ranks.begin(), ranks.end(), best) - ranks.begin();
  paths.regexes.each(ask.path, static_cast<std::size_t>(better), [&](std::size_t i) {
    if (!conditions_[candidates_[ranks[i]].rule].hold(ask)) return false;
    best = ranks[i];
    return true;
  });
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

Router::Found Router::find(const RouteAsk& ask) const {
  const FoldedHost folded(ask.host);
  const std::string_view host = folded.view();
  Rank best = kNone;
  if (const auto found = exact_.find(host); found != exact_.end()) improve(found->second, ask, best);
  for (const std::size_t length : wildcard_lengths_) {
    if (length >= host.size() || host[host.size() - length] != '.') continue;
    const auto found = wildcards_.find(host.substr(host.size() - length));
    if (found != wildcards_.end()) improve(found->second, ask, best);
  }
  // None, and one that is longer than any name, is no host even for ".*".
  host_regexes_.each(host, host.empty() ? 0 : by_host_regex_.size(), [&](std::size_t i) {
    improve(by_host_regex_[i], ask, best);
    return false;
  });
  improve(any_, ask, best);
  return best == kNone ? Found() : candidates_[best].found;
}

}  // namespace gatehouse::l7
