// Which matches of routes can be reached: by reasoning over the rules, so that what is reported is hidden for
// sure.
#include <set>
#include <tuple>

#include "common/config/path_template.h"
#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

// A match with the route whose hosts and priority it has.
struct Place {
  std::size_t route;
  std::size_t number;  // of the match in its route
  const Route* of;
  const RouteMatch* match;
};

// Texts that are equal for matches that take the same requests at the same priority.
class Key {
 public:
  explicit Key(const Place& place) {
    const Route& route = *place.of;
    const RouteMatch& match = *place.match;
    text_ = std::to_string(route.priority);
    add_sorted('h', route.hosts);
    add_sorted('R', route.host_regexes);
    add_path(match);
    add_sorted('m', match.methods);
    std::vector<std::string> clients;
    for (const IpPrefix& client : match.clients) clients.push_back(to_string(client));
    add_sorted('c', std::move(clients));
    add_sorted('G', match.countries);
    add_sorted('a', match.accept);
    if (match.tls) {
      add_sorted('v', match.tls->versions);
      add_sorted('s', match.tls->sni);
      add('S', match.tls->client_subject);
    }
    add_values('H', match.headers);
    add_values('C', match.cookies);
    add_values('Q', match.query);
  }
  const std::string& text() const { return text_; }

 private:
  void add(char kind, const std::string& text) {
    text_ += '\n' + (kind + std::to_string(text.size())) + ':' + text;
  }
  void add_sorted(char kind, std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end());
    for (const std::string& text : texts) add(kind, text);
  }
  void add_path(const RouteMatch& match) {
    const std::string& prefix = match.path_prefix;
    add('p', match.path);
    add('x', prefix.ends_with('/') ? prefix.substr(0, prefix.size() - 1) : prefix);
    add('r', match.path_regex);
    add('t', match.path_template);
    if (match.grpc) add('g', match.grpc->service + '/' + match.grpc->method);
  }
  void add_values(char kind, const std::vector<ValueMatch>& matches) {
    std::vector<std::string> texts;
    for (const ValueMatch& match : matches) {
      texts.push_back(match.name + '\n' + match.exact.value_or("\n") + '\n' + match.prefix + '\n' +
                      match.suffix + '\n' + match.contains + '\n' + match.regex + '\n' + match.range +
                      (match.absent ? "\na" : "\np"));
    }
    add_sorted(kind, std::move(texts));
  }

  std::string text_;
};

bool has_same_conditions(const RouteMatch& left, const RouteMatch& right) {
  const auto conditions = [](const RouteMatch& match) {
    return std::tie(match.methods, match.headers, match.cookies, match.query, match.accept, match.tls,
                    match.countries);
  };
  return conditions(left) == conditions(right) && left.clients.empty() && right.clients.empty();
}

bool has_conditions(const RouteMatch& match) {
  return !match.methods.empty() || !match.headers.empty() || !match.cookies.empty() || !match.query.empty() ||
         !match.clients.empty() || !match.countries.empty() || !match.accept.empty() || match.tls;
}

bool covers_hosts(const Route& wide, const Route& narrow) {
  if (wide.hosts.empty() && wide.host_regexes.empty()) return true;
  if (narrow.hosts.empty() && narrow.host_regexes.empty()) return false;
  const auto is_covered = [&wide](const std::string& host) {
    return std::any_of(wide.hosts.begin(), wide.hosts.end(), [&host](const std::string& pattern) {
      return pattern == host || (pattern.starts_with("*.") && host.ends_with(pattern.substr(1)));
    });
  };
  const auto is_same_regex = [&wide](const std::string& regex) {
    return std::find(wide.host_regexes.begin(), wide.host_regexes.end(), regex) != wide.host_regexes.end();
  };
  return std::all_of(narrow.hosts.begin(), narrow.hosts.end(), is_covered) &&
         std::all_of(narrow.host_regexes.begin(), narrow.host_regexes.end(), is_same_regex);
}

bool covers_path(const RouteMatch& wide, const RouteMatch& narrow) {
  if (wide.grpc) return false;
  if (!wide.path_template.empty()) return wide.path_template == narrow.path_template;
  if (!wide.path.empty()) return wide.path == narrow.path;
  if (!wide.path_regex.empty()) return wide.path_regex == narrow.path_regex;
  const std::string& prefix = wide.path_prefix;
  if (prefix.empty() || prefix == "/") return true;
  std::string path = !narrow.path.empty() ? narrow.path : narrow.path_prefix;
  if (const auto parsed = PathTemplate::parse(narrow.path_template); parsed) path = parsed->fixed();
  return path.starts_with(prefix) &&
         (path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/');
}

// Whether every request that `narrow` takes is one that `wide` takes. False: not for sure.
bool covers(const Place& wide, const Place& narrow) {
  const bool takes_as_much = !has_conditions(*wide.match) || has_same_conditions(*wide.match, *narrow.match);
  return takes_as_much && covers_hosts(*wide.of, *narrow.of) && covers_path(*wide.match, *narrow.match);
}

class ReachValidator : Validator {
 public:
  using Validator::Validator;

  // Matches are tried most specific first, so only a higher priority, or the same match earlier in the file,
  // hides one.
  void run() {
    std::int32_t lowest = 0;
    for (const Route& route : config_.routes) lowest = std::min(lowest, route.priority);
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const auto matches = matches_of(config_.routes[i]);
      for (std::size_t k = 0; k < matches.size(); ++k)
        places_.push_back({i, k, &config_.routes[i], &matches[k]});
    }
    std::vector<const Place*> raised;  // those that may go before a more specific one
    for (const Place& place : places_) {
      if (place.of->priority > lowest) raised.push_back(&place);
    }
    std::map<std::string, const Place*> earlier;
    for (const Place& later : places_) {
      const auto [same, is_new] = earlier.emplace(Key(later).text(), &later);
      const auto hides = [&later](const Place* place) {
        return place->of->priority > later.of->priority && covers(*place, later);
      };
      const auto hiding = std::find_if(raised.begin(), raised.end(), hides);
      if (hiding != raised.end()) report(later, **hiding);
      if (hiding == raised.end() && !is_new) report(later, *same->second);
    }
  }

 private:
  static std::string name_of(const Place& place) {
    return quoted(place.of->name) +
           (place.of->matches.empty() ? "" : " match " + std::to_string(place.number + 1));
  }
  void report(const Place& hidden, const Place& first) {
    const std::string where = hidden.of->matches.empty() ? at("route", hidden.route)
                                                         : at("route", hidden.route, "matches") + "[" +
                                                               std::to_string(hidden.number) + "]";
    warn(where,
         "[[route]] " + name_of(hidden) + " gets no request: " + name_of(first) + " takes all of them first");
  }

  std::vector<Place> places_;
};

}  // namespace

void validate_reach(const Config& config, Findings& findings) { ReachValidator(config, findings).run(); }

}  // namespace gatehouse::config
