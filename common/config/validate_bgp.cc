// Rules about BGP: anchors and their VIPs, neighbours, and what an L4 host must know of itself to speak to
// them.
#include <set>

#include "common/config/announcement.h"
#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

constexpr std::size_t kMostAnchors = 32;       // each one or two descriptors in the service manager's keeping
constexpr std::size_t kLongestInterface = 13;  // and "-d" of a drain: the kernel takes 15

class BgpValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    if (!config_.bgp) return check_unused();
    check_drain();
    check_communities("bgp.communities", "[bgp] communities", config_.bgp->communities);
    check_anchors();
    check_neighbours("bgp.neighbours", "[bgp].neighbours", config_.bgp->neighbours);
    for (std::size_t i = 0; i < config_.l4_hosts.size(); ++i) check_host(i);
  }

 private:
  void check_unused() {
    for (std::size_t i = 0; i < config_.l4_hosts.size(); ++i) {
      const HostBgp& own = config_.l4_hosts[i].bgp;
      if (own.as == 0 && !own.router_id && own.neighbours.empty()) continue;
      error(at("l4_host", i, "bgp"), "[[l4_host]] bgp needs a section [bgp], which may be empty");
    }
  }

  void check_drain() {
    const std::string& drain = config_.bgp->drain;
    if (drain == "withdraw" || drain == "med" || drain == "prepend") return;
    error("bgp.drain", "[bgp] drain: expected \"withdraw\", \"med\" or \"prepend\", found " + quoted(drain));
  }

  void check_communities(const std::string& path, const std::string& label,
                         const std::vector<std::string>& communities) {
    for (const std::string& each : communities) {
      if (parse_community(each)) continue;
      error(path, label +
                      ": expected two numbers up to 65535 such as \"64500:100\", or three such as "
                      "\"64500:1:2\", found " +
                      quoted(each));
    }
  }

  void check_anchors() {
    const auto& anchors = config_.bgp->anchors;
    if (anchors.size() > kMostAnchors) {
      error("bgp.anchor", "[[bgp.anchor]]: expected at most " + std::to_string(kMostAnchors) + ", found " +
                              std::to_string(anchors.size()));
    }
    std::map<IpAddress, std::string> owners;
    for (std::size_t i = 0; i < anchors.size(); ++i) check_anchor(i, owners);
    if (anchors.empty()) return;
    for (std::size_t i = 0; i < config_.vips.size(); ++i) {
      const Vip& vip = config_.vips[i];
      if (owners.contains(vip.address)) continue;
      warn(at("vip", i), "[[vip]] " + quoted(vip.name) + " is of no [[bgp.anchor]]: nobody announces it");
    }
  }

  void check_anchor(std::size_t i, std::map<IpAddress, std::string>& owners) {
    const BgpAnchor& anchor = config_.bgp->anchors[i];
    check_interface(at("bgp.anchor", i, "interface"), anchor.interface, i);
    check_communities(at("bgp.anchor", i, "communities"), "[bgp].anchor communities", anchor.communities);
    for (const std::string& name : anchor.vips) {
      const std::string path = at("bgp.anchor", i, "vips");
      check_reference(path, "[bgp].anchor vips: VIP", name, config_.vips);
      for (const Vip& vip : config_.vips) {
        if (vip.name != name) continue;
        const auto [owner, is_new] = owners.emplace(vip.address, anchor.interface);
        if (is_new || owner->second == anchor.interface) continue;
        error(path, "[bgp].anchor vips: the address of " + quoted(name) + ", " + to_string(vip.address) +
                        ", is on " + owner->second + " already; an address is announced by one anchor");
      }
    }
  }

  void check_interface(const std::string& path, const std::string& name, std::size_t index) {
    const bool is_good = !name.empty() && name.size() <= kLongestInterface &&
                         std::all_of(name.begin(), name.end(), [](char c) {
                           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
                         });
    if (!is_good) {
      return error(path, "[bgp].anchor interface: expected 1 to " + std::to_string(kLongestInterface) +
                             " letters, digits, '-' or '_', found " + quoted(name));
    }
    const auto& anchors = config_.bgp->anchors;
    for (std::size_t other = 0; other < index; ++other) {
      const std::string& taken = anchors[other].interface;
      if (taken == name || taken + "-d" == name || name + "-d" == taken) {
        error(path, "[bgp].anchor interface " + quoted(name) +
                        " is taken by another anchor (each has one "
                        "more interface, with \"-d\", for drains)");
      }
    }
    for (const L4Host& host : config_.l4_hosts) {
      if (std::find(host.interfaces.begin(), host.interfaces.end(), name) == host.interfaces.end()) continue;
      error(path, "[bgp].anchor interface " + quoted(name) +
                      ": expected a new one, found an interface of L4 host " + quoted(host.name));
    }
  }

  void check_neighbours(const std::string& path, const std::string& label,
                        const std::vector<BgpNeighbour>& neighbours) {
    std::set<IpAddress> seen;
    for (std::size_t i = 0; i < neighbours.size(); ++i) {
      const BgpNeighbour& each = neighbours[i];
      const std::string place = path + "[" + std::to_string(i) + "]";
      if (!seen.insert(each.address).second) {
        error(place, label + ": " + to_string(each.address) + " is there twice");
      }
      if (each.local_address && each.local_address->is_v4() != each.address.is_v4()) {
        error(place, label + " local_address: expected an address of the family of " +
                         to_string(each.address) + ", found " + quoted(to_string(*each.local_address)));
      }
      if (each.multihop > 0 && config_.bgp->bfd && !each.local_address) {
        error(place, label + ": BFD with " + to_string(each.address) +
                         ", which is on no link of ours, needs local_address");
      }
      if (each.ttl_security && each.multihop > 0) {
        error(place, label + ": ttl_security is for routers on a link of ours, multihop for others");
      }
    }
  }

  void check_host(std::size_t i) {
    const L4Host& host = config_.l4_hosts[i];
    check_name(i);
    check_neighbours(at("l4_host", i, "bgp") + ".neighbours", "[[l4_host]].bgp.neighbours",
                     host.bgp.neighbours);
    const HostBgp own = bgp_of(config_, host);
    if (own.neighbours.empty()) return;
    const std::string label = "[[l4_host]] " + quoted(host.name);
    if (own.as == 0)
      error(at("l4_host", i), label + " has neighbours and no AS number: give it bgp.as, or give [bgp] one");
    if (!own.router_id) {
      error(at("l4_host", i), label + " needs bgp.router_id, such as \"192.0.2.1\": its address is not IPv4");
    } else if (!own.router_id->is_v4()) {
      error(at("l4_host", i, "bgp"),
            label + " bgp.router_id: expected an IPv4 address, found " + quoted(to_string(*own.router_id)));
    }
    check_families(i, own);
  }

  void check_families(std::size_t i, const HostBgp& own) {
    for (const bool is_v4 : {true, false}) {
      const auto is_of_family = [is_v4](const auto& each) { return each.address.is_v4() == is_v4; };
      const auto vip = std::find_if(config_.vips.begin(), config_.vips.end(), is_of_family);
      const bool has_router = std::any_of(own.neighbours.begin(), own.neighbours.end(), is_of_family);
      if (vip == config_.vips.end() || has_router) continue;
      warn(at("l4_host", i), "[[l4_host]] " + quoted(config_.l4_hosts[i].name) + " announces " +
                                 quoted(vip->name) +
                                 " to nobody: none of its neighbours has an address of that family");
    }
  }

  // `gatehouse drain NAME` takes nodes, servers and this host.
  void check_name(std::size_t i) {
    const std::string& name = config_.l4_hosts[i].name;
    bool is_taken = std::any_of(config_.nodes.begin(), config_.nodes.end(),
                                [&](const Node& node) { return node.name == name; });
    for (const Service& service : config_.services) {
      for (const Server& server : service.servers) is_taken = is_taken || server.name == name;
    }
    if (is_taken) {
      error(at("l4_host", i, "name"),
            "[[l4_host]] name " + quoted(name) +
                " is that of a node or a server: which of them `gatehouse drain` means could not be told");
    }
  }
};

}  // namespace

void validate_bgp(const Config& config, Findings& findings) { BgpValidator(config, findings).run(); }

}  // namespace gatehouse::config
