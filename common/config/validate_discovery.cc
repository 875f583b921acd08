// Rules about backends that are found. What a file lists is check_discovery.cc's.
#include "common/config/dns_name.h"
#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

class DiscoveryValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      if (config_.pools[i].discovery) check(at("pool", i, "discovery"), config_.pools[i]);
    }
  }

 private:
  void check(const std::string& path, const Pool& pool) {
    const Discovery& discovery = *pool.discovery;
    const int sources = !discovery.dns.empty() + !discovery.srv.empty() + !discovery.file.empty();
    if (sources != 1) {
      error(path, "[[pool]].discovery has " + std::to_string(sources) +
                      " sources: expected exactly one of dns, srv, file");
    }
    check_names(path, discovery);
    if (discovery.family != "any" && discovery.family != "ipv4" && discovery.family != "ipv6") {
      error(path + ".family", "[[pool]].discovery family: expected \"any\", \"ipv4\" or \"ipv6\", found " +
                                  quoted(discovery.family));
    }
    if (discovery.min_interval > discovery.max_interval) {
      error(path, "[[pool]].discovery min_interval: expected at most max_interval (" +
                      to_string(discovery.max_interval) + "), found " + to_string(discovery.min_interval));
    }
    if (!discovery.file.empty() && (!discovery.resolvers.empty() || discovery.family != "any"))
      warn(path, "[[pool]].discovery: resolvers and family are for dns and srv; a file needs neither");
    check_tls(path, pool);
  }
  void check_names(const std::string& path, const Discovery& discovery) {
    const std::string& dns = discovery.dns;
    if (!dns.empty() && Endpoint::parse(dns)) {
      error(path + ".dns", "[[pool]].discovery dns: " + quoted(dns) +
                               " is an address: expected backends = [" + quoted(dns) + "]");
    } else if (!dns.empty() && !parse_named_port(dns)) {
      error(path + ".dns",
            "[[pool]].discovery dns: expected name:port such as \"api.internal:8080\", found " + quoted(dns));
    }
    const std::string& srv = discovery.srv;
    if (!srv.empty() && !is_dns_name(srv)) {
      error(path + ".srv",
            "[[pool]].discovery srv: expected a name such as \"_http._tcp.api.internal\", found " +
                quoted(srv));
    } else if (!srv.empty() && srv[0] != '_') {
      warn(path + ".srv", "[[pool]].discovery srv: " + quoted(srv) +
                              ": names of SRV records begin with \"_service._protocol.\"");
    }
    for (const Endpoint& resolver : discovery.resolvers) {
      if (resolver.port == 0)
        error(path + ".resolvers", "[[pool]].discovery resolvers: " + quoted(to_string(resolver)) +
                                       ": expected a port from 1 to 65535");
    }
  }
  void check_tls(const std::string& path, const Pool& pool) {
    if (!pool.tls.enabled || !pool.tls.verify || !pool.tls.server_name.empty()) return;
    warn(path,
         "[[pool]] " + quoted(pool.name) +
             " has no tls.server_name: certificates of backends must be for the addresses that are found");
  }
};

}  // namespace

void validate_discovery(const Config& config, Findings& findings) {
  DiscoveryValidator(config, findings).run();
}

}  // namespace gatehouse::config
