// Rules about routes as a whole; what they match is validate_matches.cc's, what they do validate_actions.cc's.
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
      validate_matches(config_, i, findings_);
      for (const std::string& host : route.hosts) check_host(at("route", i, "hosts"), "[[route]] hosts", host);
      for (const std::string& regex : route.host_regexes) check_regex(at("route", i, "host_regexes"), "[[route]] host_regexes", regex);
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
        check_host(at("tls_route", i, "hosts"), "[[tls_route]] hosts", host);
        const auto [owner, is_new] = taken.emplace(host, route.name);
        if (!is_new) error(at("tls_route", i, "hosts"), "[[tls_route]] hosts: " + quoted(host) + " is taken by " + quoted(owner->second));
      }
    }
    const bool is_served = std::any_of(config_.listeners.begin(), config_.listeners.end(), [](const Listener& l) { return l.mode == "tls-passthrough"; });
    if (!config_.tls_routes.empty() && !is_served) {
      warn(at("tls_route", 0), "[[tls_route]] " + quoted(config_.tls_routes[0].name) + " gets no connection: no listener has mode \"tls-passthrough\"");
    }
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
};

}  // namespace

void validate_routes(const Config& config, Findings& findings) { RouteValidator(config, findings).run(); }

}  // namespace gatehouse::config
