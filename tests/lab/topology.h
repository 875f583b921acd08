// What a lab looks like, read from one small TOML file (site.toml is the usual one). Plain values: nothing
// here touches the machine. Every host but the router has one link, named "e0" on the host and after the host
// on the router; its addresses are /31 or /127, the router's end has the other address of the pair.
#pragma once

#include <string>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace gatehouse::lab {

enum class Role { kRouter, kClient, kL4, kNode, kBackend };
std::string_view to_string(Role role);

struct LinkAddress {
  IpAddress address;
  int prefix_length = 31;
  IpAddress peer() const;  // the router's end
};

struct Host {
  std::string name;
  Role role = Role::kClient;
  int mtu = 1500;
  std::vector<LinkAddress> addresses;
};

struct ServerCertificate {
  std::string name;                // file name without ending
  std::vector<std::string> hosts;  // subject alternative names
};

struct Topology {
  std::vector<Host> hosts;
  std::vector<IpAddress> vips;
  IpAddress probe_address;
  std::vector<ServerCertificate> certificates;
  std::string text;  // the file as it was read

  const Host* find(std::string_view name) const;
  const Host& router() const;
  std::vector<const Host*> with_role(Role role) const;
};

// Errors name the file, and what was expected.
Result<Topology> load_topology(const std::string& file);

}  // namespace gatehouse::lab
