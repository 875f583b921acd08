#include "tests/lab/topology.h"

#include <toml++/toml.h>
#include <array>
#include <fstream>
#include <sstream>

namespace gatehouse::lab {

namespace {

constexpr std::array<std::string_view, 5> kRoles = {"router", "client", "l4", "node", "backend"};

Result<Role> parse_role(std::string_view text) {
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    if (kRoles[i] == text) return static_cast<Role>(i);
  }
  return Error{"unknown role \"" + std::string(text) + "\", expected router, client, l4, node or backend"};
}

Result<LinkAddress> parse_link_address(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  const int expected = address && address->is_v4() ? 31 : 127;
  if (!address || slash == text.npos || text.substr(slash + 1) != std::to_string(expected)) {
    return Error{"expected an IPv4 address/31 or IPv6 address/127, found \"" + std::string(text) + "\""};
  }
  return LinkAddress{*address, expected};
}

std::vector<std::string> strings(const toml::node_view<const toml::node>& view) {
  std::vector<std::string> result;
  if (const toml::array* array = view.as_array()) {
    for (const toml::node& item : *array) result.push_back(item.value_or(std::string()));
  }
  return result;
}

Result<Host> parse_host(const toml::table& table) {
  Host host;
  host.name = table["name"].value_or(std::string());
  if (host.name.empty() || host.name.size() > 12) return Error{"a host needs a name of 1 to 12 letters"};
  auto role = parse_role(table["role"].value_or(std::string_view()));
  if (!role) return Error{"host " + host.name + ": " + role.error().message};
  host.role = *role;
  host.mtu = table["mtu"].value_or(1500);
  for (const std::string& text : strings(table["addresses"])) {
    auto address = parse_link_address(text);
    if (!address) return Error{"host " + host.name + ": " + address.error().message};
    host.addresses.push_back(*address);
  }
  return host;
}

Status parse_site(const toml::table& table, Topology& topology) {
  for (const std::string& text : strings(table["vips"])) {
    const auto vip = IpAddress::parse(text);
    if (!vip) return Error{"vips: not an IP address: \"" + text + "\""};
    topology.vips.push_back(*vip);
  }
  const auto probe = IpAddress::parse(table["probe_address"].value_or(std::string_view("192.0.0.8")));
  if (!probe) return Error{"probe_address: not an IP address"};
  topology.probe_address = *probe;
  if (const toml::array* certificates = table["certificates"].as_array()) {
    for (const toml::node& item : *certificates) {
      const toml::table* entry = item.as_table();
      if (!entry) return Error{"certificates: expected { name, hosts }"};
      const toml::table& fields = *entry;
      topology.certificates.push_back({fields["name"].value_or(std::string()), strings(fields["hosts"])});
    }
  }
  return {};
}

}  // namespace

std::string_view to_string(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

IpAddress LinkAddress::peer() const {
  IpAddress other = address;
  other.bytes[15] ^= 1;
  return other;
}

const Host* Topology::find(std::string_view name) const {
  for (const Host& host : hosts) {
    if (host.name == name) return &host;
  }
  return nullptr;
}

const Host& Topology::router() const {
  const auto routers = with_role(Role::kRouter);
  GH_CHECK(routers.size() == 1);
  return *routers.front();
}

std::vector<const Host*> Topology::with_role(Role role) const {
  std::vector<const Host*> result;
  for (const Host& host : hosts) {
    if (host.role == role) result.push_back(&host);
  }
  return result;
}

Result<Topology> load_topology(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return system_error(file);
  Topology topology;
  topology.text.assign(std::istreambuf_iterator<char>(stream), {});
  toml::parse_result parsed = toml::parse(topology.text, file);
  if (!parsed) return Error{file + ": " + std::string(parsed.error().description())};
  const toml::table& table = parsed.table();
  if (Status status = parse_site(table, topology); !status)
    return Error{file + ": " + status.error().message};
  if (const toml::array* hosts = table["host"].as_array()) {
    for (const toml::node& item : *hosts) {
      if (!item.as_table()) return Error{file + ": expected [[host]] tables"};
      auto host = parse_host(*item.as_table());
      if (!host) return Error{file + ": " + host.error().message};
      if (topology.find(host->name)) return Error{file + ": two hosts are called " + host->name};
      topology.hosts.push_back(std::move(*host));
    }
  }
  if (topology.with_role(Role::kRouter).size() != 1) return Error{file + ": expected exactly one router"};
  return topology;
}

}  // namespace gatehouse::lab
