// Why a request goes where it goes: every route is asked by itself, in order, without the index that match() uses.
#include "l7/folded_host.h"
#include "l7/router.h"

namespace gatehouse::l7 {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

bool Router::takes_host(const Host& host, std::string_view asked) {
  if (host.kind == HostKind::kExact) return asked == host.text;
  if (host.kind == HostKind::kWildcard) return asked.size() > host.text.size() && asked.ends_with(host.text);
  bool takes = host.kind == HostKind::kAny;
  if (!takes && !asked.empty()) RegexSet({host.text}, RegexSet::Letters::kInAnyCase).each(asked, 1, [&takes](std::size_t) { return takes = true; });
  return takes;
}

bool Router::takes_path(const Candidate& candidate, std::string_view path) const {
  if (candidate.path_kind == PathKind::kExact) return path == candidate.path;
  if (candidate.path_kind == PathKind::kTemplate) return templates_.at(candidate.rule).takes(path);
  if (candidate.path_kind == PathKind::kRegex) return WholeRegex(candidate.path).takes(path);
  return path.starts_with(candidate.path) &&
         (path.size() == candidate.path.size() || candidate.path.empty() || path[candidate.path.size()] == '/');
}

bool Router::judge(const Candidate& candidate, const RouteAsk& ask, std::string& why) const {
  const FoldedHost folded(ask.host);
  const std::string_view host = folded.view();
  const HostKind kind_of_host = candidate.host.kind;
  const std::string pattern = (kind_of_host == HostKind::kWildcard ? "*" : "") + candidate.host.text;
  if (!takes_host(candidate.host, host)) {
    why = "host " + quoted(host) + (kind_of_host == HostKind::kRegex ? " does not match " : " is not ") + pattern;
    return false;
  }
  const std::size_t kind = static_cast<std::size_t>(candidate.path_kind);
  if (!takes_path(candidate, ask.path)) {
    constexpr const char* kMismatches[] = {" is not ", " is not of the form ", " does not match ", " is not below "};
    why = "path " + quoted(ask.path) + kMismatches[kind] + candidate.path;
    return false;
  }
  why = conditions_[candidate.rule].broken(ask);
  if (!why.empty()) return false;
  constexpr const char* kPaths[] = {"path ", "path template ", "path regex ", "path prefix "};
  constexpr const char* kHosts[] = {"host ", "host ", "host regex ", "any host"};
  why = kHosts[static_cast<std::size_t>(kind_of_host)] + pattern + ", " + (candidate.path.empty() ? "any path" : kPaths[kind] + candidate.path);
  return true;
}

std::vector<Router::Reason> Router::explain(const RouteAsk& ask) const {
  std::vector<Reason> reasons;
  const Found winner = find(ask);
  bool is_found = false;
  for (const Candidate& candidate : candidates_) {
    std::string why;
    const bool takes = judge(candidate, ask, why);
    const bool is_match = takes && !is_found && candidate.found.route == winner.route && candidate.found.match == winner.match;
    is_found |= is_match;
    reasons.push_back({candidate.found.route, candidate.found.match, is_match, takes && !is_match ? "would match (" + why + "), but comes later" : why});
  }
  return reasons;
}

}  // namespace gatehouse::l7
