// The rules across sections, in order: names, each part, then the room that tables have.
#include <set>

#include "common/config/validator.h"

namespace gatehouse::config {
namespace {

// The room that the tables of bpf/abi.h and the board have. One listener is the node's own, for probes.
constexpr std::size_t kMostVips = 512;
constexpr std::size_t kMostListeners = 63;
constexpr std::size_t kMostServices = 63;
constexpr std::size_t kMostSockets = 64;
constexpr std::size_t kMostBackends = 4096;

class SharedValidator : Validator {
 public:
  using Validator::Validator;

  void check_names() {
    check_section_names("vip", config_.vips);
    check_section_names("l4_host", config_.l4_hosts);
    check_section_names("node", config_.nodes);
    check_section_names("listener", config_.listeners);
    check_section_names("pool", config_.pools);
    check_section_names("service", config_.services);
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
    check("service", config_.services.size(), kMostServices);
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
};

}  // namespace

void validate(const Config& config, Findings& findings) {
  SharedValidator shared(config, findings);
  shared.check_names();
  validate_site(config, findings);
  validate_bgp(config, findings);
  validate_protection(config, findings);
  validate_http(config, findings);
  validate_health(config, findings);
  validate_discovery(config, findings);
  validate_resilience(config, findings);
  validate_routes(config, findings);
  validate_regexes(config, findings);
  validate_reach(config, findings);
  validate_actions(config, findings);
  validate_affinity(config, findings);
  validate_service(config, findings);
  validate_tls(config, findings);
  shared.check_limits();
}

}  // namespace gatehouse::config
