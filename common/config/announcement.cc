// Defaults of [bgp], and the order of what is announced: that of addresses, so that fragments do not change
// for nothing.
#include "common/config/announcement.h"

#include <algorithm>
#include <charconv>

namespace gatehouse::config {
namespace {

constexpr const char* kDefaultInterface = "gh-vip0";

std::vector<AnnouncedAddress> addresses_of(const Config& config, const std::vector<std::string>* names) {
  std::map<IpAddress, AnnouncedAddress> addresses;
  for (const Vip& vip : config.vips) {
    if (names && std::find(names->begin(), names->end(), vip.name) == names->end()) continue;
    AnnouncedAddress& entry = addresses[vip.address];
    entry.address = vip.address;
    entry.vips.push_back(&vip);
  }
  std::vector<AnnouncedAddress> list;
  for (auto& [address, entry] : addresses) list.push_back(std::move(entry));
  return list;
}

}  // namespace

std::vector<Anchor> anchors_of(const Config& config) {
  const Bgp& bgp = *config.bgp;
  if (bgp.anchors.empty()) {
    return {{kDefaultInterface, bgp.min_healthy, bgp.communities, addresses_of(config, nullptr)}};
  }
  std::vector<Anchor> anchors;
  for (const BgpAnchor& each : bgp.anchors) {
    const std::uint32_t min_healthy = each.min_healthy ? each.min_healthy : bgp.min_healthy;
    Anchor& anchor = anchors.emplace_back(
        Anchor{each.interface, min_healthy, bgp.communities, addresses_of(config, &each.vips)});
    anchor.communities.insert(anchor.communities.end(), each.communities.begin(), each.communities.end());
  }
  return anchors;
}

bool is_last_resort(const Bgp& bgp) { return bgp.drain != "withdraw"; }

HostBgp bgp_of(const Config& config, const L4Host& host) {
  HostBgp own = host.bgp;
  if (own.as == 0) own.as = config.bgp->as;
  if (!own.router_id && host.address.is_v4()) own.router_id = host.address;
  if (own.neighbours.empty()) own.neighbours = config.bgp->neighbours;
  return own;
}

std::optional<Community> parse_community(std::string_view text) {
  Community community;
  while (true) {
    const std::size_t colon = text.find(':');
    const std::string_view part = text.substr(0, colon);
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) return std::nullopt;
    community.parts.push_back(number);
    if (colon == text.npos) break;
    text.remove_prefix(colon + 1);
  }
  const auto is_short = [](std::uint32_t part) { return part <= 0xffff; };
  const std::size_t count = community.parts.size();
  const bool is_good =
      count == 3 || (count == 2 && std::all_of(community.parts.begin(), community.parts.end(), is_short));
  if (!is_good) return std::nullopt;
  return community;
}

}  // namespace gatehouse::config
