// Rules about VIPs, L4 hosts, nodes, rings and probes.
#include <set>

#include <tuple>

#include "common/maglev.h"
#include "common/config/tunnel.h"
#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

class SiteValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    check_site();
    check_ring_and_probe();
    check_nodes();
    check_vips();
    if (config_.store) check_store(*config_.store);
    check_workers();
    check_metrics("metrics.l4", config_.metrics.l4);
    check_metrics("metrics.l7", config_.metrics.l7);
  }

 private:
  void check_site() {
    const auto& [v4, v6] = std::tie(config_.site.ipip_source_v4, config_.site.ipip_source_v6);
    if (v4 && !v4->address.is_v4()) {
      error("site.ipip_source_v4", "site.ipip_source_v4: expected an IPv4 prefix such as \"192.0.2.0/24\", found " + quoted(to_string(*v4)));
    }
    if (v6 && (v6->address.is_v4() || v6->length < 64)) {
      error("site.ipip_source_v6", "site.ipip_source_v6: expected an IPv6 prefix of 64 bits or more such as \"2001:db8::/64\", found " +
                                       quoted(to_string(*v6)));
    }
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
      if (host.control && (control.certificate.empty() || control.ca.empty())) {
        error(at("l4_host", i, "control"),
              "[[l4_host]] control is only served with mutual TLS: [control] needs certificate and ca");
      }
      if (!host.control && !config_.nodes.empty()) {
        warn(at("l4_host", i), "[[l4_host]] " + quoted(host.name) + " has no control address: no node can join it");
      }
    }
  }

  void check_workers() {
    const Workers& workers = config_.workers;
    const bool is_bounded = workers.min > 0 || workers.max > 0;
    if (is_bounded && workers.count > 0) {
      error(workers.min > 0 ? "workers.min" : "workers.max", "[workers] min and max are bounds of count = \"auto\", and count is " +
                                                                 std::to_string(workers.count));
    }
    if (workers.max > 0 && workers.min > workers.max) {
      error("workers.min", "[workers] min: expected at most max, which is " + std::to_string(workers.max) + ", found " + std::to_string(workers.min));
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

  // It is neither encrypted nor asks who is there.
  void check_store(const Store& store) {
    if (store.etcd.empty()) error("store.etcd", "store.etcd: expected the URL of a member or more");
    for (const std::string& url : store.etcd) {
      const bool is_tls = url.starts_with("https://"), is_clear = url.starts_with("http://");
      if (!is_tls && !is_clear) error("store.etcd", "store.etcd: expected URLs such as \"https://192.0.2.5:2379\", found " + quoted(url));
      const bool is_here = url.starts_with("http://127.") || url.starts_with("http://[::1]") || url.starts_with("http://localhost");
      if (is_clear && !is_here) warn("store.etcd", "store.etcd: " + quoted(url) + " is asked in the clear: whoever can touch that traffic can change the site");
      if (url.ends_with("/")) error("store.etcd", "store.etcd: expected no path after the port, found " + quoted(url));
    }
    if (store.certificate.empty() != store.key.empty()) error("store.key", "store.certificate and store.key: expected both or none");
    if (store.user.empty() != store.password_file.empty()) error("store.user", "store.user and store.password_file: expected both or none");
  }

  void check_metrics(const std::string& option, const std::optional<Endpoint>& address) {
    const bool is_local = !address || IpPrefix::parse("127.0.0.0/8")->contains(address->address) || address->address == *IpAddress::parse("::1");
    if (!is_local) {
      error(option, option + ": expected a loopback address such as \"127.0.0.1:9101\", found " + quoted(to_string(*address)) +
                        "; a [[listener]] with TLS can lead there");
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
      check_interfaces(i);
      if (config_.nodes.empty() || host.address.is_v4() == config_.probe.address.is_v4()) continue;
      error("probe.address", "probe.address " + quoted(to_string(config_.probe.address)) + ": expected an address of the family of L4 host " +
                                 quoted(host.name) + " (" + to_string(host.address) + ")");
    }
  }

  void check_interfaces(std::size_t index) {
    const L4Host& host = config_.l4_hosts[index];
    const std::string path = at("l4_host", index, "interface");
    if (host.interfaces.empty()) error(path, "[[l4_host]] interface: expected a name such as \"eth0\", or a list of them");
    std::set<std::string> seen;
    for (const std::string& name : host.interfaces) {
      if (name.empty() || name.size() > 15) error(path, "[[l4_host]] interface: expected a name such as \"eth0\", found " + quoted(name));
      if (!seen.insert(name).second) error(path, "[[l4_host]] interface " + quoted(name) + " is there twice");
    }
    if (host.xdp_mode != "auto" && host.xdp_mode != "native" && host.xdp_mode != "generic") {
      error(at("l4_host", index, "xdp_mode"), "[[l4_host]] xdp_mode: expected \"auto\", \"native\" or \"generic\", found " + quoted(host.xdp_mode));
    }
    if (!host.next_program.empty() && host.next_program.front() != '/') {
      error(at("l4_host", index, "next_program"), "[[l4_host]] next_program: expected a path such as \"/sys/fs/bpf/counter\", found " +
                                                      quoted(host.next_program));
    }
  }

  void check_vips() {
    check_unique("vip", config_.vips, "address", [](const Vip& vip) {
      return to_string(Endpoint{vip.address, vip.port}) + "/" + vip.protocol;
    });
    std::map<std::string, std::uint32_t> weights;
    for (const Node& node : config_.nodes) weights[node.name] = node.weight;
    for (std::size_t i = 0; i < config_.vips.size(); ++i) {
      const Vip& vip = config_.vips[i];
      if (vip.protocol != "tcp" && vip.protocol != "udp") {
        error(at("vip", i, "protocol"), "[[vip]] protocol: expected \"tcp\" or \"udp\", found " + quoted(vip.protocol));
      }
      check_forwarding(i);
      if (vip.address.is_unspecified()) error(at("vip", i, "address"), "[[vip]] address: expected one address, not \"any\"");
      check_vip_nodes(i, weights);
      if (vip.protocol == "tcp" && !is_served(vip.name) && !is_of_service(vip.name)) {
        warn(at("vip", i), "[[vip]] " + quoted(vip.name) + " is served by no listener: connections to it are refused");
      }
    }
  }

  void check_word(std::size_t i, const char* key, const std::string& found, const std::vector<std::string>& words) {
    if (std::find(words.begin(), words.end(), found) != words.end()) return;
    std::string expected;
    for (const std::string& word : words) expected += (expected.empty() ? "" : word == words.back() ? " or " : ", ") + quoted(word);
    error(at("vip", i, key), "[[vip]] " + std::string(key) + ": expected " + expected + ", found " + quoted(found));
  }

  void check_forwarding(std::size_t i) {
    const Vip& vip = config_.vips[i];
    check_word(i, "encapsulation", vip.encapsulation, {"gue", "gue-plain", "ipip"});
    check_word(i, "hash", vip.hash, {"flow", "addresses", "source"});
    check_word(i, "fragments", vip.fragments, {"drop", "addresses"});
    if (vip.fragments == "addresses" && vip.hash == "flow") {
      error(at("vip", i, "fragments"), "[[vip]] fragments = \"addresses\" needs hash = \"addresses\" or \"source\": fragments after "
                                       "the first carry no ports, so no packet of the VIP may be spread by them");
    }
    check_fragments_agree(i);
    const std::uint32_t left = config_.site.fabric_mtu - outer_length(vip, config_);
    if (!vip.address.is_v4() && left < 1280) {
      warn(at("vip", i), "[[vip]] " + quoted(vip.name) + ": site.fabric_mtu leaves " + std::to_string(left) +
                             " bytes in the tunnel, and IPv6 clients may send 1280");
    }
  }

  // A fragment without ports goes to the first of them.
  void check_fragments_agree(std::size_t i) {
    const Vip& vip = config_.vips[i];
    if (vip.fragments != "addresses") return;
    for (std::size_t j = 0; j < i; ++j) {
      const Vip& other = config_.vips[j];
      const bool is_alike = other.hash == vip.hash && other.encapsulation == vip.encapsulation && other.nodes == vip.nodes;
      if (other.fragments != "addresses" || other.address != vip.address || other.protocol != vip.protocol || is_alike) continue;
      error(at("vip", i, "fragments"), "[[vip]] fragments: " + quoted(other.name) + " has the same address and protocol and takes "
                                       "fragments with another hash, encapsulation or nodes; later fragments cannot tell the two apart");
    }
  }

  // Sites may have a thousand nodes, and each of hundreds of VIPs may name them all.
  void check_vip_nodes(std::size_t place, const std::map<std::string, std::uint32_t>& weights) {
    const Vip& vip = config_.vips[place];
    std::set<std::string> names;
    bool has_weight = vip.nodes.empty();
    for (std::size_t i = 0; i < vip.nodes.size(); ++i) {
      const VipNode& node = vip.nodes[i];
      const std::string path = at("vip", place, "nodes") + "[" + std::to_string(i) + "]";
      const auto known = weights.find(node.name);
      if (known == weights.end()) check_reference(path, "[[vip]] nodes: node", node.name, config_.nodes);
      if (!names.insert(node.name).second) error(path, "[[vip]] nodes: " + quoted(node.name) + " is there twice");
      has_weight = has_weight || node.weight != 0 || (known != weights.end() && known->second != 0);
    }
    if (!has_weight) error(at("vip", place, "nodes"), "[[vip]] nodes: every one has weight 0, so nobody could serve");
  }
  bool is_of_service(const std::string& vip) const {
    return std::any_of(config_.services.begin(), config_.services.end(), [&](const Service& service) {
      return std::find(service.vips.begin(), service.vips.end(), vip) != service.vips.end();
    });
  }
  bool is_served(const std::string& vip) const {
    return std::any_of(config_.listeners.begin(), config_.listeners.end(), [&](const Listener& listener) {
      return std::find(listener.vips.begin(), listener.vips.end(), vip) != listener.vips.end();
    });
  }
};

}  // namespace

void validate_site(const Config& config, Findings& findings) { SiteValidator(config, findings).run(); }

}  // namespace gatehouse::config
