// Rules about routes, and which of them can be reached.
#include <re2/re2.h>

#include <set>
#include <tuple>

#include "common/config/path_template.h"
#include "common/config/validator.h"
#include "common/media_type.h"

namespace gatehouse::config {
namespace {

class RouteValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    check_routes();
    check_tls_routes();
    check_reachability();
    check_pools_are_used();
  }

 private:
  void check_routes() {
    check_unique("route", config_.routes, "name", [](const Route& route) { return route.name; });
    std::set<std::string> pools;
    for (const Pool& pool : config_.pools) pools.insert(pool.name);
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const Route& route = config_.routes[i];
      const bool is_known = route.pool.empty() || pools.contains(route.pool);
      if (!is_known) check_reference(at("route", i, "pool"), "[[route]] pool", route.pool, config_.pools);
      check_one_path(i, route);
      check_conditions(i, route);
      check_path(at("route", i, "path"), "path", route.path);
      check_path(at("route", i, "path_prefix"), "path_prefix", route.path_prefix);
      for (const std::string& host : route.hosts) check_host("route", i, host);
    }
  }
  void check_one_path(std::size_t i, const Route& route) {
    std::string given;
    int count = 0;
    const auto look = [&](bool is_given, const char* name) {
      if (!is_given) return;
      given += (count++ ? " and " : "") + std::string(name);
    };
    look(!route.path.empty(), "path");
    look(!route.path_prefix.empty(), "path_prefix");
    look(!route.path_regex.empty(), "path_regex");
    look(!route.path_template.empty(), "path_template");
    look(route.grpc.has_value(), "grpc");
    if (count > 1) error(at("route", i), "[[route]] " + quoted(route.name) + " has " + given + ": expected one of them");
  }
  void check_conditions(std::size_t i, const Route& route) {
    if (!route.path_template.empty()) {
      const auto parsed = PathTemplate::parse(route.path_template);
      if (!parsed) error(at("route", i, "path_template"), "[[route]] path_template: " + parsed.error().message);
    }
    check_regex(at("route", i, "path_regex"), "[[route]] path_regex", route.path_regex);
    for (const std::string& method : route.methods) {
      const bool is_good = !method.empty() && std::all_of(method.begin(), method.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '-' || c == '_'; });
      if (!is_good) error(at("route", i, "methods"), "[[route]] methods: expected a method such as \"GET\", in capitals, found " + quoted(method));
    }
    for (const std::string& type : route.accept) {
      if (!MediaType::parse(type)) {
        error(at("route", i, "accept"), "[[route]] accept: expected a media type such as \"application/json\" or \"text/html;level=1\", found " + quoted(type));
      }
    }
    if (route.tls) check_tls_match(i, *route.tls);
    if (route.grpc) check_grpc(i, route);
    check_values(at("route", i, "headers"), "[[route]].headers", route.headers);
    check_values(at("route", i, "cookies"), "[[route]].cookies", route.cookies);
    check_values(at("route", i, "query"), "[[route]].query", route.query);
  }
  void check_tls_match(std::size_t i, const TlsMatch& match) {
    const std::string place = at("route", i, "tls");
    for (const std::string& version : match.versions) {
      if (version != "1.2" && version != "1.3") error(place, "[[route]] tls.versions: expected \"1.2\" or \"1.3\", found " + quoted(version));
    }
    for (const std::string& name : match.sni) check_host("route", i, name, "tls");
    check_regex(place, "[[route]] tls.client_subject", match.client_subject);
    const bool is_empty = match.versions.empty() && match.sni.empty() && match.client_subject.empty();
    if (is_empty) error(place, "[[route]] tls: expected versions, sni or client_subject");
  }
  void check_grpc(std::size_t i, const Route& route) {
    const auto is_good = [](const std::string& name, bool has_package) {
      return std::all_of(name.begin(), name.end(), [&](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (has_package && c == '.'); });
    };
    const std::string place = at("route", i, "grpc");
    if (route.grpc->service.empty() || !is_good(route.grpc->service, true)) {
      error(place, "[[route]] grpc.service: expected a name such as \"shop.v1.Orders\", found " + quoted(route.grpc->service));
    }
    if (!is_good(route.grpc->method, false)) error(place, "[[route]] grpc.method: expected a name such as \"Get\", found " + quoted(route.grpc->method));
  }
  void check_values(const std::string& where, const std::string& label, const std::vector<ValueMatch>& matches) {
    for (std::size_t k = 0; k < matches.size(); ++k) {
      const ValueMatch& match = matches[k];
      const std::string place = where + "[" + std::to_string(k) + "]";
      const bool is_name = !match.name.empty() && std::all_of(match.name.begin(), match.name.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ':' && c != ';' && c != '='; });
      if (!is_name) error(place + ".name", label + " name: expected a name without spaces, ':', ';' and '=', found " + quoted(match.name));
      const int conditions = match.exact.has_value() + !match.prefix.empty() + !match.suffix.empty() + !match.contains.empty() +
                             !match.regex.empty() + !match.range.empty() + match.present + match.absent;
      if (conditions != 1) {
        error(place, label + " " + quoted(match.name) + " has " + std::to_string(conditions) +
                         " conditions: expected exactly one of exact, prefix, suffix, contains, regex, range, present, absent");
      }
      check_regex(place + ".regex", label + " regex", match.regex);
      if (!match.range.empty() && !NumberRange::parse(match.range)) {
        error(place + ".range", label + " range: expected two numbers such as \"200-299\", the first or the second may be missing, found " + quoted(match.range));
      }
    }
  }
  void check_regex(const std::string& where, const std::string& label, const std::string& pattern) {
    if (pattern.empty()) return;
    const re2::RE2 regex(pattern, re2::RE2::Quiet);
    if (!regex.ok()) error(where, label + ": expected an RE2 expression, found " + quoted(pattern) + ": " + regex.error());
  }
  void check_tls_routes() {
    check_unique("tls_route", config_.tls_routes, "name", [](const TlsRoute& route) { return route.name; });
    std::map<std::string, std::string> taken;
    for (std::size_t i = 0; i < config_.tls_routes.size(); ++i) {
      const TlsRoute& route = config_.tls_routes[i];
      check_reference(at("tls_route", i, "pool"), "[[tls_route]] pool", route.pool, config_.pools);
      if (route.hosts.empty()) error(at("tls_route", i, "hosts"), "[[tls_route]] " + quoted(route.name) + " needs a host");
      for (const std::string& host : route.hosts) {
        check_host("tls_route", i, host);
        const auto [owner, is_new] = taken.emplace(host, route.name);
        if (!is_new) error(at("tls_route", i, "hosts"), "[[tls_route]] hosts: " + quoted(host) + " is taken by " + quoted(owner->second));
      }
    }
    const bool is_served = std::any_of(config_.listeners.begin(), config_.listeners.end(), [](const Listener& l) { return l.mode == "tls-passthrough"; });
    if (!config_.tls_routes.empty() && !is_served) {
      warn(at("tls_route", 0), "[[tls_route]] " + quoted(config_.tls_routes[0].name) + " gets no connection: no listener has mode \"tls-passthrough\"");
    }
  }
  void check_path(const std::string& where, const char* key, const std::string& path) {
    const bool is_good = path.empty() || (path[0] == '/' && path.find_first_of("?# ") == std::string::npos);
    if (!is_good) error(where, std::string("[[route]] ") + key + ": expected a path that begins with '/', found " + quoted(path));
  }
  void check_host(const char* section, std::size_t index, const std::string& host, const char* key = "hosts") {
    const std::string name = host.starts_with("*.") ? host.substr(2) : host;
    const bool is_good = !name.empty() && name.find_first_of("*/ :") == std::string::npos && name.front() != '.' &&
                         name.back() != '.';
    const bool is_v6 = host.starts_with("[") && host.ends_with("]");
    if (!is_good && !is_v6) {
      error(at(section, index, key), "[[" + std::string(section) + "]] " + key + ": expected a name such as \"shop.example\" or \"*.shop.example\", without port, found " +
                       quoted(host));
    }
  }

  // Routes are tried most specific first, so only a higher priority, or the same match earlier in the file, hides one.
  void check_reachability() {
    std::map<std::string, std::size_t> earlier;
    std::vector<std::size_t> raised;  // those that may go before a more specific one
    std::int32_t lowest = 0;
    for (const Route& route : config_.routes) lowest = std::min(lowest, route.priority);
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      if (config_.routes[i].priority > lowest) raised.push_back(i);
    }
    for (std::size_t later = 0; later < config_.routes.size(); ++later) {
      const Route& route = config_.routes[later];
      const auto [same, is_new] = earlier.emplace(key_of(route), later);
      const auto hides = [&](std::size_t i) { return config_.routes[i].priority > route.priority && covers(config_.routes[i], route); };
      const auto hiding = std::find_if(raised.begin(), raised.end(), hides);
      if (hiding == raised.end() && is_new) continue;
      const std::size_t first = hiding != raised.end() ? *hiding : same->second;
      warn(at("route", later), "[[route]] " + quoted(route.name) + " gets no request: " + quoted(config_.routes[first].name) +
                                   " takes all of them first");
    }
  }
  // Equal for routes that take the same requests at the same priority.
  static std::string key_of(const Route& route) {
    std::string key = std::to_string(route.priority);
    const auto add = [&key](char kind, const std::string& text) { key += '\n' + (kind + std::to_string(text.size())) + ':' + text; };
    const auto add_sorted = [&add](char kind, std::vector<std::string> texts) {
      std::sort(texts.begin(), texts.end());
      for (const std::string& text : texts) add(kind, text);
    };
    const auto add_values = [&](char kind, const std::vector<ValueMatch>& matches) {
      std::vector<std::string> texts;
      for (const ValueMatch& match : matches) {
        texts.push_back(match.name + '\n' + match.exact.value_or("\n") + '\n' + match.prefix + '\n' + match.suffix + '\n' + match.contains + '\n' +
                        match.regex + '\n' + match.range + (match.absent ? "\na" : "\np"));
      }
      add_sorted(kind, std::move(texts));
    };
    add_sorted('h', route.hosts);
    add('p', route.path);
    const bool takes_any = route.path_prefix == "/" || route.path_prefix.empty();
    add('x', takes_any ? "" : route.path_prefix.ends_with('/') ? route.path_prefix.substr(0, route.path_prefix.size() - 1) : route.path_prefix);
    add('r', route.path_regex);
    add('t', route.path_template);
    add_sorted('m', route.methods);
    std::vector<std::string> clients;
    for (const IpPrefix& client : route.clients) clients.push_back(to_string(client));
    add_sorted('c', std::move(clients));
    add_sorted('a', route.accept);
    if (route.grpc) add('g', route.grpc->service + '/' + route.grpc->method);
    if (route.tls) {
      add_sorted('v', route.tls->versions);
      add_sorted('s', route.tls->sni);
      add('S', route.tls->client_subject);
    }
    add_values('H', route.headers);
    add_values('C', route.cookies);
    add_values('Q', route.query);
    return key;
  }
  void check_pools_are_used() {
    std::set<std::string> used;
    for (const Route& route : config_.routes) {
      used.insert(route.pool);
      for (const RoutePool& pool : route.pools) used.insert(pool.name);
      if (route.mirror) used.insert(route.mirror->pool);
    }
    for (const TlsRoute& route : config_.tls_routes) used.insert(route.pool);
    for (const Listener& listener : config_.listeners) used.insert(listener.pool);
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const std::string& name = config_.pools[i].name;
      if (!used.contains(name)) warn(at("pool", i), "[[pool]] " + quoted(name) + " is used by no route");
    }
  }
  static bool has_same_conditions(const Route& left, const Route& right) {
    const auto conditions = [](const Route& route) { return std::tie(route.methods, route.headers, route.cookies, route.query, route.accept, route.tls); };
    return conditions(left) == conditions(right) && left.clients.empty() && right.clients.empty();
  }
  static std::string fixed_part(const std::string& path_template) {
    const auto parsed = PathTemplate::parse(path_template);
    return parsed ? parsed->fixed() : "";
  }
  static bool covers(const Route& wide, const Route& narrow) {
    const bool takes_any = wide.methods.empty() && wide.headers.empty() && wide.cookies.empty() && wide.query.empty() && wide.clients.empty() &&
                           wide.accept.empty() && !wide.tls;
    if (!takes_any && !has_same_conditions(wide, narrow)) return false;
    const auto is_host_covered = [&wide](const std::string& host) {
      return std::any_of(wide.hosts.begin(), wide.hosts.end(), [&host](const std::string& pattern) {
        return pattern == host || (pattern.starts_with("*.") && host.ends_with(pattern.substr(1)));
      });
    };
    const bool has_all_hosts = wide.hosts.empty() ||
                               (!narrow.hosts.empty() && std::all_of(narrow.hosts.begin(), narrow.hosts.end(), is_host_covered));
    if (!has_all_hosts) return false;
    if (wide.grpc) return false;
    if (!wide.path_template.empty()) return wide.path_template == narrow.path_template;
    if (!wide.path.empty()) return wide.path == narrow.path;
    if (!wide.path_regex.empty()) return wide.path_regex == narrow.path_regex;
    const std::string& prefix = wide.path_prefix;
    if (prefix.empty() || prefix == "/") return true;
    const std::string path = !narrow.path.empty() ? narrow.path : !narrow.path_template.empty() ? fixed_part(narrow.path_template) : narrow.path_prefix;
    return path.starts_with(prefix) && (path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/');
  }
};

}  // namespace

void validate_routes(const Config& config, Findings& findings) { RouteValidator(config, findings).run(); }

}  // namespace gatehouse::config
