#include <algorithm>
#include <functional>
#include <set>

#include "common/config/findings.h"
#include "common/maglev.h"

namespace gatehouse::config {
namespace {

// The room that the tables of bpf/abi.h and the board have. One listener is the node's own, for probes.
constexpr std::size_t kMostVips = 512;
constexpr std::size_t kMostListeners = 63;
constexpr std::size_t kMostSockets = 64;
constexpr std::size_t kMostBackends = 4096;

std::string at(const char* section, std::size_t index, const char* key = nullptr) {
  return std::string(section) + "[" + std::to_string(index) + "]" + (key ? std::string(".") + key : "");
}
std::string quoted(const std::string& text) { return "\"" + text + "\""; }

class Validator {
 public:
  Validator(const Config& config, Findings& findings) : config_(config), findings_(findings) {}

  void run() {
    check_names();
    check_site();
    check_ring_and_probe();
    check_nodes();
    check_vips();
    check_listeners();
    check_pools();
    check_routes();
    check_reachability();
    check_limits();
  }

 private:
  void error(const std::string& path, const std::string& text) { findings_.error(findings_.line_of(path), text); }
  void warn(const std::string& path, const std::string& text) { findings_.warning(findings_.line_of(path), text); }

  // No two entries of a section may have the same key.
  template <typename Section, typename KeyOf>
  void check_unique(const char* section, const Section& entries, const char* key, KeyOf key_of) {
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto [earlier, is_new] = seen.emplace(key_of(entries[i]), i);
      if (is_new) continue;
      error(at(section, i, key), "[[" + std::string(section) + "]] " + key + " " + quoted(earlier->first) +
                                     " is taken by line " +
                                     std::to_string(findings_.line_of(at(section, earlier->second, key))) +
                                     "; expected one of its own");
    }
  }

  // Names go into file names, log lines and certificates.
  template <typename Section>
  void check_section_names(const char* section, const Section& entries) {
    check_unique(section, entries, "name", [](const auto& entry) { return entry.name; });
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string& name = entries[i].name;
      const bool is_good = !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
      });
      if (!is_good) {
        error(at(section, i, "name"), "[[" + std::string(section) + "]] name " + quoted(name) +
                                          ": expected 1 to 63 letters, digits, '-', '_' or '.'");
      }
    }
  }
  void check_names() {
    check_section_names("vip", config_.vips);
    check_section_names("l4_host", config_.l4_hosts);
    check_section_names("node", config_.nodes);
    check_section_names("listener", config_.listeners);
    check_section_names("pool", config_.pools);
  }

  template <typename Section>
  static std::vector<std::string> names_of(const Section& entries) {
    std::vector<std::string> names;
    for (const auto& entry : entries) names.push_back(entry.name);
    return names;
  }
  template <typename Section>
  void check_reference(const std::string& path, const std::string& label, const std::string& name,
                       const Section& entries) {
    const std::vector<std::string> names = names_of(entries);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      error(path, label + " " + quoted(name) + " does not exist" + suggest(name, names));
    }
  }

  void check_site() {
    if (!config_.l4_hosts.empty() && config_.site.secret_file.empty()) {
      warn("site", "site.secret_file is not set: clients who know Gatehouse can aim at one slot of a ring");
    }
    for (std::size_t i = 0; i < config_.l4_hosts.size(); ++i) {
      const L4Host& host = config_.l4_hosts[i];
      if (host.address_v6 && host.address_v6->is_v4()) {
        error(at("l4_host", i, "address_v6"), "[[l4_host]] address_v6: expected an IPv6 address, found " +
                                                  quoted(to_string(*host.address_v6)));
      }
      const Control& control = config_.control;
      if (host.control && (control.certificate.empty() || control.key.empty() || control.ca.empty())) {
        error(at("l4_host", i, "control"),
              "[[l4_host]] control is only served with mutual TLS: [control] needs certificate, key and ca");
      }
      if (!host.control && !config_.nodes.empty()) {
        warn(at("l4_host", i), "[[l4_host]] " + quoted(host.name) + " has no control address: no node can join it");
      }
    }
  }

  void check_ring_and_probe() {
    const std::uint32_t slots = config_.ring.slots;
    if (!is_prime(slots)) {
      std::uint32_t next = slots;
      while (!is_prime(next)) ++next;
      error("ring.slots", "ring.slots: expected a prime, found " + std::to_string(slots) + "; the next prime is " +
                              std::to_string(next));
    }
    if (config_.nodes.size() * 100 > slots) {
      warn("ring.slots", "ring.slots is less than a hundred times the number of nodes: shares will be uneven");
    }
    if (config_.probe.timeout > config_.probe.interval) {
      warn("probe.timeout", "probe.timeout is longer than probe.interval: a probe is cut off when the next one starts");
    }
  }

  void check_nodes() {
    check_unique("node", config_.nodes, "id", [](const Node& node) { return std::to_string(node.id); });
    check_unique("node", config_.nodes, "address", [](const Node& node) { return to_string(node.address); });
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      for (const L4Host& host : config_.l4_hosts) {
        const bool is_reachable = config_.nodes[i].address.is_v4() ? host.address.is_v4()
                                                                   : !host.address.is_v4() || host.address_v6;
        if (!is_reachable) {
          error(at("node", i, "address"), "[[node]] address " + quoted(to_string(config_.nodes[i].address)) +
                                              ": L4 host " + quoted(host.name) + " has no address of that family");
        }
      }
    }
    for (std::size_t i = 0; i < config_.nodes.size(); ++i) {
      for (const L4Host& host : config_.l4_hosts) {
        if (host.address == config_.nodes[i].address) {
          error(at("node", i, "address"), "[[node]] address " + quoted(to_string(host.address)) + " is that of L4 host " + quoted(host.name));
        }
      }
      if (config_.nodes[i].interface.empty()) error(at("node", i, "interface"), "[[node]] interface: expected a name such as \"eth0\"");
    }
    check_probe_family();
    const bool has_weight = std::any_of(config_.nodes.begin(), config_.nodes.end(), [](const Node& n) { return n.weight; });
    if (!config_.nodes.empty() && !has_weight) error("node", "[[node]]: every node has weight 0, so nobody could serve");
  }

  // A probe leaves from the L4 host's address, and must be of its family.
  void check_probe_family() {
    for (std::size_t i = 0; i < config_.l4_hosts.size(); ++i) {
      const L4Host& host = config_.l4_hosts[i];
      if (host.interface.empty()) error(at("l4_host", i, "interface"), "[[l4_host]] interface: expected a name such as \"eth0\"");
      if (config_.nodes.empty() || host.address.is_v4() == config_.probe.address.is_v4()) continue;
      error("probe.address", "probe.address " + quoted(to_string(config_.probe.address)) + ": expected an address of the family of L4 host " +
                                 quoted(host.name) + " (" + to_string(host.address) + ")");
    }
  }

  void check_vips() {
    check_unique("vip", config_.vips, "address", [](const Vip& vip) {
      return to_string(Endpoint{vip.address, vip.port}) + "/" + vip.protocol;
    });
    for (std::size_t i = 0; i < config_.vips.size(); ++i) {
      const Vip& vip = config_.vips[i];
      if (vip.protocol != "tcp" && vip.protocol != "udp") {
        error(at("vip", i, "protocol"), "[[vip]] protocol: expected \"tcp\" or \"udp\", found " + quoted(vip.protocol));
      }
      if (vip.address.is_unspecified()) error(at("vip", i, "address"), "[[vip]] address: expected one address, not \"any\"");
      if (vip.protocol == "tcp" && !is_served(vip.name)) {
        warn(at("vip", i), "[[vip]] " + quoted(vip.name) + " is served by no listener: connections to it are refused");
      }
    }
  }
  bool is_served(const std::string& vip) const {
    return std::any_of(config_.listeners.begin(), config_.listeners.end(), [&](const Listener& listener) {
      return std::find(listener.vips.begin(), listener.vips.end(), vip) != listener.vips.end();
    });
  }

  void check_listeners() {
    std::map<std::string, std::string> taken;
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) {
      const Listener& listener = config_.listeners[i];
      if (listener.vips.empty() && listener.addresses.empty()) {
        error(at("listener", i), "[[listener]] " + quoted(listener.name) + " needs vips or addresses");
      }
      for (const std::string& vip : listener.vips) check_listener_vip(i, vip);
      std::vector<std::string> places = listener.vips;
      for (const Endpoint& address : listener.addresses) places.push_back(to_string(address));
      for (const std::string& place : places) {
        const auto [owner, is_new] = taken.emplace(place, listener.name);
        if (!is_new) error(at("listener", i), "[[listener]] " + quoted(place) + " is taken by " + quoted(owner->second));
      }
      if (listener.max_uri > listener.max_header) {
        error(at("listener", i, "max_uri"), "[[listener]] max_uri: expected at most max_header (" +
                                                to_string(listener.max_header) + "), found " + to_string(listener.max_uri));
      }
    }
  }
  void check_listener_vip(std::size_t index, const std::string& name) {
    const std::string path = at("listener", index, "vips");
    check_reference(path, "[[listener]] vips: VIP", name, config_.vips);
    for (const Vip& vip : config_.vips) {
      if (vip.name == name && vip.protocol != "tcp") {
        error(path, "[[listener]] vips: " + quoted(name) + " is UDP; a listener takes TCP connections");
      }
    }
  }

  void check_pools() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const Pool& pool = config_.pools[i];
      if (pool.backends.empty()) error(at("pool", i, "backends"), "[[pool]] " + quoted(pool.name) + " needs a backend");
      std::set<Endpoint> seen;
      std::uint64_t weight = 0;
      for (std::size_t j = 0; j < pool.backends.size(); ++j) {
        weight += pool.backends[j].weight;
        const Endpoint& address = pool.backends[j].address;
        const std::string path = at("pool", i, "backends") + "[" + std::to_string(j) + "]";
        if (!seen.insert(address).second) error(path, "[[pool]] backend " + quoted(to_string(address)) + " is there twice");
        if (address.port == 0) error(path, "[[pool]] backend " + quoted(to_string(address)) + ": expected a port from 1 to 65535");
      }
      if (!pool.backends.empty() && weight == 0) error(at("pool", i), "[[pool]] " + quoted(pool.name) + ": every backend has weight 0");
      check_health(i, pool);
    }
  }
  void check_health(std::size_t index, const Pool& pool) {
    const Health& health = pool.health;
    const std::string path = at("pool", index, "health");
    if (health.path.empty()) {
      if (pool.backends.size() > 1) {
        warn(at("pool", index), "[[pool]] " + quoted(pool.name) + " has no health.path: a dead backend stays in rotation");
      }
      return;
    }
    if (health.path[0] != '/') error(path, "[[pool]] health.path: expected a path such as \"/healthz\", found " + quoted(health.path));
    if (health.status.empty()) error(path, "[[pool]] health.status: expected at least one status code");
    if (health.timeout > health.interval) {
      warn(path, "[[pool]] health.timeout is longer than health.interval: a check is cut off when the next one starts");
    }
    const bool takes_errors = std::any_of(health.status.begin(), health.status.end(), [](auto code) { return code >= 500; });
    if (takes_errors) warn(path, "[[pool]] health.status has a 5xx code: a server in trouble counts as healthy");
  }

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
      for (const std::string& host : route.hosts) check_host(at("route", i, "hosts"), host);
    }
  }
  void check_path(const std::string& where, const char* key, const std::string& path) {
    const bool is_good = path.empty() || (path[0] == '/' && path.find_first_of("?# ") == std::string::npos);
    if (!is_good) error(where, std::string("[[route]] ") + key + ": expected a path that begins with '/', found " + quoted(path));
  }
  void check_host(const std::string& where, const std::string& host) {
    const std::string name = host.starts_with("*.") ? host.substr(2) : host;
    const bool is_good = !name.empty() && name.find_first_of("*/ :") == std::string::npos && name.front() != '.' &&
                         name.back() != '.';
    const bool is_v6 = host.starts_with("[") && host.ends_with("]");
    if (!is_good && !is_v6) {
      error(where, "[[route]] hosts: expected a name such as \"shop.example\" or \"*.shop.example\", without port, found " +
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
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const std::string& name = config_.pools[i].name;
      const bool is_used = std::any_of(config_.routes.begin(), config_.routes.end(), [&](const Route& r) { return r.pool == name; });
      if (!is_used) warn(at("pool", i), "[[pool]] " + quoted(name) + " is used by no route");
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

  void check_limits() {
    const auto check = [this](const char* section, std::size_t count, std::size_t most, const char* what = "") {
      if (count > most) {
        error(section, "[[" + std::string(section) + "]]: expected at most " + std::to_string(most) + what + ", found " +
                           std::to_string(count));
      }
    };
    check("vip", config_.vips.size(), kMostVips);
    check("listener", config_.listeners.size(), kMostListeners);
    check_sockets();
    std::size_t backends = 0;
    for (const Pool& pool : config_.pools) backends += pool.backends.size();
    check("pool", backends, kMostBackends, " backends");
  }

  // A worker gets all its sockets, and the log, with one message of the control protocol.
  void check_sockets() {
    std::size_t sockets = 2;
    for (const Listener& listener : config_.listeners) {
      std::set<bool> families;
      for (const Vip& vip : config_.vips) {
        if (std::find(listener.vips.begin(), listener.vips.end(), vip.name) != listener.vips.end()) families.insert(vip.address.is_v4());
      }
      sockets += families.size() + listener.addresses.size();
    }
    if (sockets > kMostSockets) {
      error("listener", "[[listener]]: expected at most " + std::to_string(kMostSockets - 2) +
                            " addresses and address families of VIPs in all, found " + std::to_string(sockets - 2));
    }
  }

  const Config& config_;
  Findings& findings_;
};

}  // namespace

void validate(const Config& config, Findings& findings) { Validator(config, findings).run(); }

}  // namespace gatehouse::config
