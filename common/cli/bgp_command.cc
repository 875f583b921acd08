#include "common/cli/bgp_command.h"

#include "common/cli/bgp_config.h"
#include "common/config/findings.h"
#include "common/config/load.h"

namespace gatehouse::cli {
namespace {

Result<const config::L4Host*> find_host(const config::Config& config, const std::string& name) {
  std::vector<std::string> names;
  for (const config::L4Host& host : config.l4_hosts) {
    if (host.name == name || (name.empty() && config.l4_hosts.size() == 1)) return &host;
    names.push_back(host.name);
  }
  if (!name.empty())
    return Error{config.file + ": there is no [[l4_host]] \"" + name + "\"" + config::suggest(name, names)};
  return Error{config.file + ": which [[l4_host]] is meant? Name it with --host"};
}

}  // namespace

Result<std::string> bgp_text(const BgpRequest& request) {
  if (request.daemon != "bird" && request.daemon != "frr") {
    return Error{"expected bird or frr, found \"" + request.daemon + "\""};
  }
  const config::Loaded loaded = config::load_file(request.config_file);
  if (!loaded.is_valid()) return Error{loaded.errors()};
  const config::Config& config = loaded.config;
  const auto host = find_host(config, request.host);
  if (!host) return host.error();
  if (!config.bgp) return Error{config.file + ": there is no [bgp]: L4 hosts announce nothing"};
  if (config::bgp_of(config, **host).neighbours.empty()) {
    return Error{config.file + ": [[l4_host]] \"" + (*host)->name + "\" has no neighbours, nor has [bgp]"};
  }
  return request.daemon == "frr" ? frr_config(config, **host) : bird_config(config, **host, request.is_part);
}

}  // namespace gatehouse::cli
