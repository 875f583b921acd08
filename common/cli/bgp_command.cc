#include "common/cli/bgp_command.h"

#include <algorithm>

#include "common/cli/bgp_config.h"
#include "common/config/findings.h"
#include "common/config/load.h"
#include "common/files.h"

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

// One word that both daemons take as it is, and the kernel (RFC 2385: 80 bytes).
Result<std::string> password_in(const std::string& file) {
  auto text = read_file(file);
  if (!text) return text.error();
  while (!text->empty() && (text->back() == '\n' || text->back() == '\r')) text->pop_back();
  const bool is_good =
      !text->empty() && text->size() <= 80 && std::all_of(text->begin(), text->end(), [](char c) {
        return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '#' && c != '!';
      });
  if (is_good) return *text;
  return Error{"password_file " + file +
               ": expected one line of 1 to 80 letters, digits and signs but \" \\ # and !"};
}

Result<Passwords> passwords_of(const config::HostBgp& own) {
  Passwords passwords;
  for (const config::BgpNeighbour& each : own.neighbours) {
    if (each.password_file.empty()) continue;
    auto password = password_in(each.password_file);
    if (!password) return password.error();
    passwords[each.password_file] = std::move(*password);
  }
  return passwords;
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
  const config::HostBgp own = config::bgp_of(config, **host);
  if (own.neighbours.empty()) {
    return Error{config.file + ": [[l4_host]] \"" + (*host)->name + "\" has no neighbours, nor has [bgp]"};
  }
  const auto passwords = passwords_of(own);
  if (!passwords) return passwords.error();
  return request.daemon == "frr" ? frr_config(config, **host, *passwords)
                                 : bird_config(config, **host, *passwords, request.is_part);
}

}  // namespace gatehouse::cli
