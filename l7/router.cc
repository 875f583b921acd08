#include "l7/router.h"

#include <algorithm>
#include <array>
#include <functional>

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kLongestHost = 255;  // of a DNS name

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// The host in lower case without the dot of a fully qualified name. One that is
// longer than any name is nobody's: only routes for any host take it.
class FoldedHost {
 public:
  explicit FoldedHost(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    length_ = host.size() > kLongestHost ? 0 : host.size();
    std::transform(host.begin(), host.begin() + static_cast<std::ptrdiff_t>(length_), text_.begin(), lower);
  }
  std::string_view view() const { return {text_.data(), length_}; }

 private:
  std::array<char, kLongestHost> text_;
  std::size_t length_;
};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

Router::Router(const std::vector<config::Route>& routes) {
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].hosts.empty()) add(routes[i], i, "");
    for (const std::string& host : routes[i].hosts) add(routes[i], i, host);
  }
  std::stable_sort(candidates_.begin(), candidates_.end(), [&routes](const Candidate& left, const Candidate& right) {
    return goes_before(left, right, routes);
  });
  for (std::size_t rank = 0; rank < candidates_.size(); ++rank) {
    Candidate& candidate = candidates_[rank];
    candidate.rank = rank;
    ByHost& hosts = candidate.is_wildcard ? wildcards_ : candidate.host.empty() ? any_ : exact_;
    hosts[candidate.host].push_back(rank);
  }
}

void Router::add(const config::Route& route, std::size_t index, const std::string& host) {
  const bool is_wildcard = host.starts_with("*.");
  const std::string_view pattern = is_wildcard ? std::string_view(host).substr(1) : std::string_view(host);
  Candidate candidate{index, 0, std::string(FoldedHost(pattern).view()), is_wildcard, !route.path.empty(), route.path};
  if (!candidate.is_exact_path) {
    candidate.path = route.path_prefix;
    if (candidate.path.ends_with('/')) candidate.path.pop_back();
  }
  candidates_.push_back(std::move(candidate));
}

bool Router::goes_before(const Candidate& left, const Candidate& right, const std::vector<config::Route>& routes) {
  const auto key = [&routes](const Candidate& candidate) {
    const int host_class = candidate.host.empty() ? 2 : candidate.is_wildcard ? 1 : 0;
    const auto longest_first = [](const std::string& text) { return -static_cast<std::ptrdiff_t>(text.size()); };
    return std::tuple(-routes[candidate.route].priority, host_class, host_class == 1 ? longest_first(candidate.host) : 0,
                      !candidate.is_exact_path, longest_first(candidate.path));
  };
  return key(left) < key(right);
}

bool Router::takes_path(const Candidate& candidate, std::string_view path) {
  if (candidate.is_exact_path) return path == candidate.path;
  return path.starts_with(candidate.path) &&
         (path.size() == candidate.path.size() || candidate.path.empty() || path[candidate.path.size()] == '/');
}

std::size_t Router::first_match(const ByHost& hosts, std::string_view host, std::string_view path) const {
  const auto found = hosts.find(host);
  if (found == hosts.end()) return kNoRoute;
  for (const std::size_t rank : found->second) {
    if (takes_path(candidates_[rank], path)) return rank;
  }
  return kNoRoute;
}

std::size_t Router::match(std::string_view raw_host, std::string_view path) const {
  const FoldedHost folded(raw_host);
  const std::string_view host = folded.view();
  std::size_t best = std::min(first_match(exact_, host, path), first_match(any_, "", path));
  if (!wildcards_.empty()) {
    for (std::size_t dot = host.find('.'); dot != std::string_view::npos; dot = host.find('.', dot + 1)) {
      if (dot > 0) best = std::min(best, first_match(wildcards_, host.substr(dot), path));
    }
  }
  return best == kNoRoute ? kNoRoute : candidates_[best].route;
}

std::string Router::explain_one(const Candidate& candidate, std::string_view host, std::string_view path) {
  const bool is_host_right = candidate.host.empty() || (candidate.is_wildcard
                                                            ? host.size() > candidate.host.size() && host.ends_with(candidate.host)
                                                            : host == candidate.host);
  const std::string pattern = candidate.is_wildcard ? "*" + candidate.host : candidate.host;
  if (!is_host_right) return "host " + quoted(host) + " is not " + pattern;
  if (takes_path(candidate, path)) {
    const std::string host_text = candidate.host.empty() ? "any host" : "host " + pattern;
    const std::string path_text = candidate.is_exact_path ? "path " : "path prefix ";
    return host_text + ", " + (candidate.path.empty() ? "any path" : path_text + candidate.path);
  }
  return "path " + quoted(path) + (candidate.is_exact_path ? " is not " : " is not below ") + candidate.path;
}

std::vector<Router::Reason> Router::explain(std::string_view raw_host, std::string_view path) const {
  const FoldedHost folded(raw_host);
  std::vector<Reason> reasons;
  const std::size_t winner = match(raw_host, path);
  bool is_found = false;
  for (const Candidate& candidate : candidates_) {
    const std::string why = explain_one(candidate, folded.view(), path);
    const bool takes = !why.starts_with("host \"") && !why.starts_with("path \"");
    const bool is_match = takes && !is_found && candidate.route == winner;
    is_found |= is_match;
    reasons.push_back({candidate.route, is_match, takes && !is_match ? "would match (" + why + "), but comes later" : why});
  }
  return reasons;
}

}  // namespace gatehouse::l7
