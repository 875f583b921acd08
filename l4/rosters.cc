#include "l4/rosters.h"

#include <netinet/in.h>

#include <algorithm>
#include <set>

#include "bpf/abi.h"

namespace gatehouse::l4 {
namespace {

using Ids = std::map<std::string, std::uint16_t>;

constexpr std::uint32_t kMostSpareRings = 64;

Roster roster_of(const config::Vip& vip, const Ids& ids) {
  Roster roster;
  for (const config::VipNode& node : vip.nodes) {
    const auto id = ids.find(node.name);
    if (id != ids.end())
      roster.entries.push_back({id->second, node.weight == 0 ? Roster::kOwnWeight : node.weight});
  }
  if (vip.nodes.empty()) {
    for (const auto& [name, id] : ids) roster.entries.push_back({id});
  }
  std::sort(roster.entries.begin(), roster.entries.end());
  return roster;
}

}  // namespace

std::string vip_key(const IpAddress& address, std::uint16_t port, std::uint8_t protocol) {
  return to_string(Endpoint{address, port}) + (protocol == IPPROTO_UDP ? "/udp" : "/tcp");
}
std::string vip_key(const config::Vip& vip) { return vip_key(vip.address, vip.port, protocol_of(vip)); }
std::uint8_t protocol_of(const config::Vip& vip) { return vip.protocol == "udp" ? IPPROTO_UDP : IPPROTO_TCP; }

std::shared_ptr<const Rosters> rosters_of(const config::Config& config, const Rosters* known) {
  Ids ids;
  for (const config::Node& node : config.nodes) ids[node.name] = node.id;
  std::map<Roster, std::shared_ptr<const Roster>> shared;
  if (known) {
    for (const auto& [vip, roster] : *known) shared.emplace(*roster, roster);
  }
  auto rosters = std::make_shared<Rosters>();
  for (const config::Vip& vip : config.vips) {
    Roster roster = roster_of(vip, ids);
    auto& same = shared[roster];
    if (!same) same = std::make_shared<const Roster>(std::move(roster));
    (*rosters)[vip_key(vip)] = same;
  }
  return rosters;
}

std::uint32_t ring_areas_for(const config::Config& config) {
  if (config.ring.groups != 0) return config.ring.groups;
  std::set<std::shared_ptr<const Roster>> different;
  const auto rosters = rosters_of(config);
  for (const auto& [vip, roster] : *rosters) different.insert(roster);
  const auto needed = static_cast<std::uint32_t>(different.size());
  return std::clamp<std::uint32_t>(needed + std::min(needed, kMostSpareRings), 8, GH_MAX_GROUPS);
}

}  // namespace gatehouse::l4
