// Why a request goes where it goes: every route is asked by itself, in order, without the index that match() uses.
#include "l7/folded_host.h"
#include "l7/router.h"

namespace gatehouse::l7 {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

bool Router::takes_path(const Candidate& candidate, std::string_view path) const {
  if (candidate.path_kind == PathKind::kExact) return path == candidate.path;
  if (candidate.path_kind == PathKind::kTemplate) return templates_.at(candidate.route).takes(path);
  if (candidate.path_kind == PathKind::kRegex) return path_regexes_.at(candidate.route).takes(path);
  return path.starts_with(candidate.path) &&
         (path.size() == candidate.path.size() || candidate.path.empty() || path[candidate.path.size()] == '/');
}

bool Router::judge(const Candidate& candidate, const RouteAsk& ask, std::string& why) const {
  const FoldedHost folded(ask.host);
  const std::string_view host = folded.view();
  const bool is_host_right = candidate.host.empty() || (candidate.is_wildcard
                                                            ? host.size() > candidate.host.size() && host.ends_with(candidate.host)
                                                            : host == candidate.host);
  const std::string pattern = candidate.is_wildcard ? "*" + candidate.host : candidate.host;
  if (!is_host_right) {
    why = "host " + quoted(host) + " is not " + pattern;
    return false;
  }
  const std::size_t kind = static_cast<std::size_t>(candidate.path_kind);
  if (!takes_path(candidate, ask.path)) {
    constexpr const char* kMismatches[] = {" is not ", " is not of the form ", " does not match ", " is not below "};
    why = "path " + quoted(ask.path) + kMismatches[kind] + candidate.path;
    return false;
  }
  why = conditions_[candidate.route].broken(ask);
  if (!why.empty()) return false;
  constexpr const char* kPaths[] = {"path ", "path template ", "path regex ", "path prefix "};
  why = (candidate.host.empty() ? "any host" : "host " + pattern) + ", " + (candidate.path.empty() ? "any path" : kPaths[kind] + candidate.path);
  return true;
}

std::vector<Router::Reason> Router::explain(const RouteAsk& ask) const {
  std::vector<Reason> reasons;
  const std::size_t winner = match(ask);
  bool is_found = false;
  for (const Candidate& candidate : candidates_) {
    std::string why;
    const bool takes = judge(candidate, ask, why);
    const bool is_match = takes && !is_found && candidate.route == winner;
    is_found |= is_match;
    reasons.push_back({candidate.route, is_match, takes && !is_match ? "would match (" + why + "), but comes later" : why});
  }
  return reasons;
}

}  // namespace gatehouse::l7
