// Rules about routes, and which of them can be reached.
#include <set>

#include "common/config/validator.h"

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
    for (std::size_t i = 0; i < config_.routes.size(); ++i) {
      const Route& route = config_.routes[i];
      check_reference(at("route", i, "pool"), "[[route]] pool", route.pool, config_.pools);
      if (!route.path.empty() && !route.path_prefix.empty()) {
        error(at("route", i), "[[route]] " + quoted(route.name) + " has path and path_prefix: expected one of them");
      }
      check_path(at("route", i, "path"), "path", route.path);
      check_path(at("route", i, "path_prefix"), "path_prefix", route.path_prefix);
      for (const std::string& host : route.hosts) check_host("route", i, host);
    }
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
  void check_host(const char* section, std::size_t index, const std::string& host) {
    const std::string name = host.starts_with("*.") ? host.substr(2) : host;
    const bool is_good = !name.empty() && name.find_first_of("*/ :") == std::string::npos && name.front() != '.' &&
                         name.back() != '.';
    const bool is_v6 = host.starts_with("[") && host.ends_with("]");
    if (!is_good && !is_v6) {
      error(at(section, index, "hosts"), "[[" + std::string(section) + "]] hosts: expected a name such as \"shop.example\" or \"*.shop.example\", without port, found " +
                       quoted(host));
    }
  }

  // Routes are tried most specific first, so only a higher priority, or the same match earlier in the file, hides one.
  void check_reachability() {
    for (std::size_t later = 0; later < config_.routes.size(); ++later) {
      for (std::size_t i = 0; i < config_.routes.size(); ++i) {
        const Route& one = config_.routes[i];
        const Route& other = config_.routes[later];
        if (i == later || !covers(one, other)) continue;
        const bool hides = one.priority > other.priority || (one.priority == other.priority && i < later && covers(other, one));
        if (!hides) continue;
        warn(at("route", later), "[[route]] " + quoted(other.name) + " gets no request: " + quoted(one.name) +
                                     " takes all of them first");
        break;
      }
    }
  }
  void check_pools_are_used() {
    std::set<std::string> used;
    for (const Route& route : config_.routes) used.insert(route.pool);
    for (const TlsRoute& route : config_.tls_routes) used.insert(route.pool);
    for (const Listener& listener : config_.listeners) used.insert(listener.pool);
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const std::string& name = config_.pools[i].name;
      if (!used.contains(name)) warn(at("pool", i), "[[pool]] " + quoted(name) + " is used by no route");
    }
  }
  static bool covers(const Route& wide, const Route& narrow) {
    const auto is_host_covered = [&wide](const std::string& host) {
      return std::any_of(wide.hosts.begin(), wide.hosts.end(), [&host](const std::string& pattern) {
        return pattern == host || (pattern.starts_with("*.") && host.ends_with(pattern.substr(1)));
      });
    };
    const bool has_all_hosts = wide.hosts.empty() ||
                               (!narrow.hosts.empty() && std::all_of(narrow.hosts.begin(), narrow.hosts.end(), is_host_covered));
    if (!has_all_hosts) return false;
    if (!wide.path.empty()) return wide.path == narrow.path;
    const std::string& prefix = wide.path_prefix;
    if (prefix.empty() || prefix == "/") return true;
    const std::string& path = narrow.path.empty() ? narrow.path_prefix : narrow.path;
    return path.starts_with(prefix) && (path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/');
  }
};

}  // namespace

void validate_routes(const Config& config, Findings& findings) { RouteValidator(config, findings).run(); }

}  // namespace gatehouse::config
