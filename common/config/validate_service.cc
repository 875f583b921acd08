// Rules about services, their servers, checks and QUIC configurations.
#include <set>

#include "common/config/validator.h"
#include "common/hex.h"

namespace gatehouse::config {
namespace {

class ServiceValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.services.size(); ++i) {
      const Service& service = config_.services[i];
      check_words(i, service);
      check_vips(i, service);
      check_servers(i, service);
      check_check(i, service);
      check_quic(i, service);
      if (service.encapsulation == "nat") check_translation(i, service);
    }
  }

 private:
  static std::string place(std::size_t service, const std::string& key) {
    return at("service", service) + "." + key;
  }
  static std::string place(std::size_t service, const char* list, std::size_t index,
                           const char* key = nullptr) {
    return place(service, at(list, index, key));
  }

  void check_word(const std::string& path, const std::string& label, const std::string& word,
                  const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), word) == known.end())
      error(path, label + " " + quoted(word) + " is unknown" + suggest(word, known));
  }

  void check_words(std::size_t i, const Service& service) {
    check_word(place(i, "encapsulation"), "[[service]] encapsulation", service.encapsulation,
               {"ipip", "gue", "nat"});
    check_word(place(i, "hash"), "[[service]] hash", service.hash, {"flow", "addresses", "source"});
    check_word(place(i, "check.kind"), "[[service]] check.kind", service.check.kind, {"tcp", "udp", "none"});
    if (!service.check.way.empty())
      check_word(place(i, "check.way"), "[[service]] check.way", service.check.way, {"tunnel", "direct"});
  }

  const Vip* find_vip(const std::string& name) const {
    const auto vip = std::find_if(config_.vips.begin(), config_.vips.end(),
                                  [&](const Vip& each) { return each.name == name; });
    return vip == config_.vips.end() ? nullptr : &*vip;
  }
  std::vector<const Vip*> vips_of(const Service& service) const {
    std::vector<const Vip*> vips;
    for (const std::string& name : service.vips) {
      if (const Vip* vip = find_vip(name)) vips.push_back(vip);
    }
    return vips;
  }

  void check_vips(std::size_t i, const Service& service) {
    if (service.vips.empty()) error(place(i, "vips"), "[[service]] vips: expected at least one");
    for (std::size_t k = 0; k < service.vips.size(); ++k) {
      const std::string& name = service.vips[k];
      check_reference(place(i, "vips", k), "[[service]] vips", name, config_.vips);
      if (const Vip* vip = find_vip(name); vip && !vip->nodes.empty()) {
        error(place(i, "vips", k),
              "[[service]] vips: " + quoted(name) + " names nodes: nodes serve it, or servers do");
      }
      const auto taken = vip_takers_.emplace(name, service.name);
      if (!taken.second)
        error(place(i, "vips", k), "[[service]] vips: " + quoted(name) + " is that of service " +
                                       quoted(taken.first->second) + " already");
      for (const Listener& listener : config_.listeners) {
        if (std::find(listener.vips.begin(), listener.vips.end(), name) == listener.vips.end()) continue;
        error(place(i, "vips", k), "[[service]] vips: " + quoted(name) + " is that of listener " +
                                       quoted(listener.name) + ": nodes serve it, or servers do");
      }
    }
  }

  void check_servers(std::size_t i, const Service& service) {
    if (service.servers.empty()) error(place(i, "servers"), "[[service]] servers: expected at least one");
    bool has_weight = service.servers.empty();
    for (std::size_t k = 0; k < service.servers.size(); ++k) {
      const Server& server = service.servers[k];
      has_weight = has_weight || server.weight > 0;
      check_identity(i, k, server);
      check_address(i, k, server);
      if (server.port && service.encapsulation != "nat") {
        error(place(i, "servers", k, "port"),
              "[[service]] servers: a port is only written with encapsulation \"nat\": through a tunnel the "
              "packet arrives as it was sent");
      }
    }
    if (!has_weight)
      error(place(i, "servers"), "[[service]] servers: every one has weight 0, so nobody takes new flows");
  }

  // Ids are those of the hop lists, names those of `gatehouse drain`: nodes and servers share both.
  void check_identity(std::size_t i, std::size_t k, const Server& server) {
    const auto refuse = [&](const char* key, const std::string& value, const std::string& by) {
      error(place(i, "servers", k, key),
            std::string("[[service]] servers: ") + key + " " + quoted(value) + " is taken by " + by);
    };
    for (const Node& node : config_.nodes) {
      if (node.id == server.id) refuse("id", std::to_string(server.id), "node " + quoted(node.name));
      if (node.name == server.name) refuse("name", server.name, "a node");
    }
    const auto id = ids_.emplace(server.id, server.name);
    if (!id.second) refuse("id", std::to_string(server.id), "server " + quoted(id.first->second));
    if (!names_.insert(server.name).second) refuse("name", server.name, "another server");
    const bool is_word = !server.name.empty() && server.name.size() <= 63 &&
                         server.name.find_first_of(" \t\r\n\"/") == std::string::npos;
    if (!is_word)
      error(place(i, "servers", k, "name"), "[[service]] servers: name " + quoted(server.name) +
                                                ": expected 1 to 63 characters without spaces");
  }

  void check_address(std::size_t i, std::size_t k, const Server& server) {
    const std::string text = quoted(to_string(server.address));
    if (server.address.is_unspecified())
      error(place(i, "servers", k, "address"),
            "[[service]] servers: address: expected one address, not \"any\"");
    for (const Vip& vip : config_.vips) {
      if (vip.address != server.address) continue;
      return error(place(i, "servers", k, "address"), "[[service]] servers: address " + text +
                                                          " is that of VIP " + quoted(vip.name) +
                                                          ": packets would never leave the L4 hosts");
    }
    for (const L4Host& host : config_.l4_hosts) {
      if (host.address == server.address) {
        error(place(i, "servers", k, "address"),
              "[[service]] servers: address " + text + " is that of L4 host " + quoted(host.name));
      }
      const bool is_reachable =
          server.address.is_v4() ? host.address.is_v4() : !host.address.is_v4() || host.address_v6;
      if (!is_reachable) {
        error(place(i, "servers", k, "address"), "[[service]] servers: address " + text + ": L4 host " +
                                                     quoted(host.name) + " has no address of that family");
      }
    }
  }

  void check_check(std::size_t i, const Service& service) {
    const ServerCheck& check = service.check;
    if (check.kind == "none") return;
    if (check.kind == "udp" && check.request.empty()) {
      error(place(i, "check"),
            "[[service]] check: a UDP check needs a request that servers answer; without one it could not "
            "fail");
    }
    if (check.way == "tunnel" && service.encapsulation == "nat") {
      error(place(i, "check.way"),
            "[[service]] check.way: with encapsulation \"nat\" there is no tunnel; expected \"direct\"");
    }
    for (const char* key : {"request", "expect"}) {
      const std::string& text = key[0] == 'r' ? check.request : check.expect;
      if (!parse_escapes(text))
        error(
            place(i, std::string("check.") + key),
            std::string("[[service]] check.") + key + ": expected \\xNN, \\r, \\n or \\\\ after a backslash");
    }
    const bool is_tunnelled = check.way == "tunnel" || (check.way.empty() && service.encapsulation != "nat");
    const auto vips = vips_of(service);
    for (const L4Host& host : config_.l4_hosts) {
      const auto is_of_host = [&host](const Vip* vip) {
        return vip->address.is_v4() == host.address.is_v4() || host.address_v6;
      };
      if (!is_tunnelled || vips.empty() || std::any_of(vips.begin(), vips.end(), is_of_host)) continue;
      error(place(i, "check"), "[[service]] check: L4 host " + quoted(host.name) +
                                   " has no address of a VIP's family; expected check.way = \"direct\"");
    }
    if (check.timeout > check.interval) {
      warn(place(i, "check.timeout"),
           "[[service]] check.timeout is longer than check.interval: a check is cut off when the next one "
           "starts");
    }
  }

  void check_quic(std::size_t i, const Service& service) {
    if (service.quic.empty()) return;
    std::size_t length = 0;
    std::set<std::string> known;
    for (std::size_t k = 0; k < service.servers.size(); ++k) {
      const auto id = parse_hex(service.servers[k].quic_id);
      const std::string path = place(i, "servers", k, "quic_id");
      if (!id || id->empty() || id->size() > 15) {
        error(path, "[[service]] servers: quic_id " + quoted(service.servers[k].quic_id) +
                        ": expected 1 to 15 bytes in hexadecimal, such as \"c4605e\"");
        return;
      }
      if (k == 0) length = id->size();
      if (id->size() != length)
        error(path, "[[service]] servers: quic_id: expected " + std::to_string(length) +
                        " bytes as of the server before, found " + std::to_string(id->size()));
      if (!known.insert(std::string(id->begin(), id->end())).second)
        error(path, "[[service]] servers: quic_id " + quoted(service.servers[k].quic_id) +
                        " is taken by another server");
    }
    check_quic_configs(i, service, length);
    for (const Vip* vip : vips_of(service)) {
      if (vip->protocol != "udp")
        error(place(i, "quic"), "[[service]] quic: VIP " + quoted(vip->name) + " is not UDP");
    }
  }

  void check_quic_configs(std::size_t i, const Service& service, std::size_t server_id_length) {
    std::set<int> ids;
    for (std::size_t k = 0; k < service.quic.size(); ++k) {
      const QuicConfig& quic = service.quic[k];
      if (!ids.insert(quic.config_id).second)
        error(place(i, "quic", k, "config_id"),
              "[[service]] quic: config_id " + std::to_string(quic.config_id) + " is there twice");
      if (server_id_length + quic.nonce_length > 19) {
        error(place(i, "quic", k, "nonce_length"),
              "[[service]] quic: nonce_length: expected at most " + std::to_string(19 - server_id_length) +
                  " with server ids of " + std::to_string(server_id_length) + " bytes");
      }
      if (quic.key_file.empty())
        warn(place(i, "quic", k),
             "[[service]] quic: without key_file everybody can read from a connection id which server it "
             "belongs to");
    }
  }

  // What a server sends must tell which VIP it stands behind.
  void check_translation(std::size_t i, const Service& service) {
    for (std::size_t k = 0; k < service.servers.size(); ++k) {
      const Server& server = service.servers[k];
      for (const Vip* vip : vips_of(service)) {
        if (vip->address.is_v4() != server.address.is_v4()) {
          error(place(i, "servers", k, "address"), "[[service]] servers: address " +
                                                       quoted(to_string(server.address)) +
                                                       " is not of the family of VIP " + quoted(vip->name) +
                                                       ", and encapsulation \"nat\" changes no family");
          continue;
        }
        const std::uint16_t port = server.port ? server.port : vip->port;
        const std::string key = to_string(Endpoint{server.address, port}) + "/" + vip->protocol;
        const auto taken = backs_.emplace(key, vip->name);
        if (taken.second) continue;
        error(place(i, "servers", k),
              "[[service]] servers: " + key + " stands behind VIP " + quoted(taken.first->second) +
                  " already: what it sends could not be told apart for VIP " + quoted(vip->name));
      }
    }
  }

  std::map<std::string, std::string> vip_takers_;
  std::map<std::uint16_t, std::string> ids_;
  std::set<std::string> names_;
  std::map<std::string, std::string> backs_;
};

}  // namespace

void validate_service(const Config& config, Findings& findings) { ServiceValidator(config, findings).run(); }

}  // namespace gatehouse::config
