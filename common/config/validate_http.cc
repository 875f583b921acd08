// Rules about listeners and pools.
#include <set>

#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

class HttpValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    check_listeners();
    check_pools();
    check_countries();
  }

 private:
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
      check_paths(i, listener.paths);
      check_mode(i, listener);
      if (listener.proxy_protocol && listener.trusted_proxies.empty()) {
        error(at("listener", i, "proxy_protocol"), "[[listener]] proxy_protocol: expected trusted_proxies too: those that may send a PROXY header");
      }
    }
  }
  void check_paths(std::size_t index, const PathRules& rules) {
    const struct {
      const char* name;
      const std::string& rule;
      const char* change;
    } each[] = {{"dot_segments", rules.dot_segments, "resolve"},
                {"encoded_slashes", rules.encoded_slashes, "decode"},
                {"double_slashes", rules.double_slashes, "merge"}};
    for (const auto& [name, rule, change] : each) {
      if (rule == "keep" || rule == "refuse" || rule == change) continue;
      error(at("listener", index, "paths"), std::string("[[listener]] paths.") + name + ": expected \"" + change +
                                                "\", \"refuse\" or \"keep\", found " + quoted(rule));
    }
  }
  void check_mode(std::size_t index, const Listener& listener) {
    const std::string name = "[[listener]] " + quoted(listener.name);
    const bool is_tcp = listener.mode == "tcp", is_passthrough = listener.mode == "tls-passthrough";
    if (!is_tcp && !is_passthrough && listener.mode != "http") {
      error(at("listener", index, "mode"), "[[listener]] mode: expected \"http\", \"tcp\" or \"tls-passthrough\", found " + quoted(listener.mode));
    }
    if (!listener.pool.empty()) {
      check_reference(at("listener", index, "pool"), "[[listener]] pool", listener.pool, config_.pools);
      if (listener.mode == "http") error(at("listener", index, "pool"), name + " has a pool: expected mode \"tcp\" or \"tls-passthrough\" with it; HTTP goes by [[route]]");
    } else if (is_tcp) {
      error(at("listener", index, "mode"), name + " has mode \"tcp\": expected a pool too");
    } else if (is_passthrough && config_.tls_routes.empty()) {
      error(at("listener", index, "mode"), name + " passes TLS through: expected a [[tls_route]] or a pool");
    }
    if (is_passthrough && !listener.certificates.empty()) {
      error(at("listener", index, "certificates"), name + " passes TLS through: expected no certificates");
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

  void check_countries() {
    const std::string& header = config_.countries.header;
    if (header.empty()) return;
    const bool is_name = std::all_of(header.begin(), header.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_'; });
    if (!is_name) error("countries.header", "[countries] header: expected the name of a field such as \"CF-IPCountry\", found " + quoted(header));
    const bool is_believed = std::any_of(config_.listeners.begin(), config_.listeners.end(), [](const Listener& l) { return !l.trusted_proxies.empty(); });
    if (!is_believed) warn("countries.header", "[countries] header is believed from nobody: no listener has trusted_proxies");
  }
  void check_connections(std::size_t index, const Pool& pool) {
    const std::string name = "[[pool]] " + quoted(pool.name);
    if (pool.min_idle > pool.max_idle)
      error(at("pool", index, "min_idle"), "[[pool]] min_idle: expected at most max_idle (" + std::to_string(pool.max_idle) + "), found " + std::to_string(pool.min_idle));
    if (pool.min_idle > 0 && !pool.proxy_protocol.empty())
      error(at("pool", index, "min_idle"), name + ": expected no min_idle with proxy_protocol: each of its connections is made for one client");
    const std::uint32_t most = pool.limits.max_backend_connections;
    if (most > 0 && pool.min_idle > most)
      warn(at("pool", index, "min_idle"), "[[pool]] min_idle: " + quoted(pool.name) + " never has more than limits.max_backend_connections (" + std::to_string(most) + ")");
    for (std::size_t i = 0; i < pool.source_addresses.size(); ++i) {
      const IpAddress& address = pool.source_addresses[i];
      const bool is_multicast = address.is_v4() ? (address.bytes[12] & 0xf0) == 0xe0 : address.bytes[0] == 0xff;
      if (!address.is_unspecified() && !is_multicast) continue;
      error(at("pool", index, "source_addresses") + "[" + std::to_string(i) + "]",
            name + " source_addresses: expected addresses of nodes, found " + quoted(to_string(address)));
    }
  }
  void check_pools() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const Pool& pool = config_.pools[i];
      if (pool.backends.empty() && !pool.discovery) error(at("pool", i, "backends"), "[[pool]] " + quoted(pool.name) + " needs a backend: expected backends or discovery");
      std::set<Endpoint> seen;
      std::uint64_t weight = 0;
      for (std::size_t j = 0; j < pool.backends.size(); ++j) {
        weight += pool.backends[j].weight;
        const Endpoint& address = pool.backends[j].address;
        const std::string path = at("pool", i, "backends") + "[" + std::to_string(j) + "]";
        if (!seen.insert(address).second) error(path, "[[pool]] backend " + quoted(to_string(address)) + " is there twice");
        if (address.port == 0) error(path, "[[pool]] backend " + quoted(to_string(address)) + ": expected a port from 1 to 65535");
      }
      if (!pool.backends.empty() && weight == 0 && !pool.discovery) error(at("pool", i), "[[pool]] " + quoted(pool.name) + ": every backend has weight 0");
      if (pool.protocol != "http1" && pool.protocol != "h2") {
        error(at("pool", i, "protocol"), "[[pool]] protocol: expected \"http1\" or \"h2\", found " + quoted(pool.protocol));
      }
      if (pool.protocol == "h2" && !pool.proxy_protocol.empty()) {
        error(at("pool", i, "proxy_protocol"), "[[pool]] " + quoted(pool.name) + ": expected protocol \"http1\" with proxy_protocol: connections of HTTP/2 are shared");
      }
      check_connections(i, pool);
      const auto& alpn = pool.tls.alpn;
      if (pool.protocol == "h2" && !alpn.empty() && (alpn.size() > 1 || alpn[0] != "h2")) {
        error(at("pool", i, "tls"), "[[pool]].tls alpn: expected [\"h2\"] with protocol \"h2\", found " + quoted(alpn[0]));
      }
      if (!pool.proxy_protocol.empty() && pool.proxy_protocol != "v1" && pool.proxy_protocol != "v2") {
        error(at("pool", i, "proxy_protocol"), "[[pool]] proxy_protocol: expected \"v1\" or \"v2\", found " + quoted(pool.proxy_protocol));
      }
    }
  }
};

}  // namespace

void validate_http(const Config& config, Findings& findings) { HttpValidator(config, findings).run(); }

}  // namespace gatehouse::config
