// FRR's defaults are minutes, too, and its helper for graceful restart keeps the routes of a host that is
// gone.
#include <algorithm>

#include "common/cli/bgp_config.h"

namespace gatehouse::cli {
namespace {

using config::Anchor;
using config::Bgp;
using config::BgpNeighbour;

const char* list_of(bool is_v4) { return is_v4 ? "gatehouse-v4" : "gatehouse-v6"; }
const char* word_of(bool is_v4) { return is_v4 ? "ip" : "ipv6"; }

bool has_family(const Anchor& anchor, bool is_v4) {
  return std::any_of(anchor.addresses.begin(), anchor.addresses.end(),
                     [is_v4](const config::AnnouncedAddress& each) { return each.address.is_v4() == is_v4; });
}

std::string bfd_part(const Bgp& bgp) {
  if (!bgp.bfd) return {};
  const std::string interval = std::to_string(bgp.bfd_interval.count());
  return "bfd\n profile gatehouse\n  detect-multiplier " + std::to_string(bgp.bfd_multiplier) +
         "\n  receive-interval " + interval + "\n  transmit-interval " + interval + "\n exit\nexit\n!\n";
}

std::string prefix_lists(const std::vector<Anchor>& anchors) {
  std::string text;
  for (const bool is_v4 : {true, false}) {
    int number = 0;
    for (const Anchor& anchor : anchors) {
      for (const config::AnnouncedAddress& each : anchor.addresses) {
        if (each.address.is_v4() != is_v4) continue;
        text += std::string(word_of(is_v4)) + " prefix-list " + list_of(is_v4) + " seq " +
                std::to_string(number += 5) + " permit " + to_string(each.address) +
                (is_v4 ? "/32" : "/128") + "\n";
      }
    }
  }
  return text + "!\n";
}

std::string communities(const Anchor& anchor, bool is_drained) {
  std::string normal, large;
  for (const std::string& each : anchor.communities) {
    (config::parse_community(each)->parts.size() == 3 ? large : normal) += " " + each;
  }
  if (is_drained) normal += " graceful-shutdown";
  return (normal.empty() ? "" : " set community" + normal + "\n") +
         (large.empty() ? "" : " set large-community" + large + "\n");
}

std::string map_entry(const Anchor& anchor, const Bgp& bgp, std::uint32_t as, bool is_v4, bool is_drained,
                      int number) {
  std::string text = std::string("route-map ") + list_of(is_v4) + " permit " + std::to_string(number) +
                     "\n match interface " + (is_drained ? anchor.drain_interface() : anchor.interface) +
                     "\n match " + word_of(is_v4) + " address prefix-list " + list_of(is_v4) + "\n" +
                     communities(anchor, is_drained);
  if (is_drained && bgp.drain == "med") text += " set metric " + std::to_string(bgp.drain_med) + "\n";
  if (is_drained && bgp.drain == "prepend") {
    text += " set as-path prepend";
    for (std::uint32_t i = 0; i < bgp.drain_prepend; ++i) text += " " + std::to_string(as);
    text += "\n";
  }
  return text + "exit\n";
}

std::string route_maps(const std::vector<Anchor>& anchors, const Bgp& bgp, std::uint32_t as) {
  std::string text;
  for (const bool is_v4 : {true, false}) {
    int number = 0;
    for (const Anchor& anchor : anchors) {
      if (!has_family(anchor, is_v4)) continue;
      text += map_entry(anchor, bgp, as, is_v4, false, number += 10);
      if (config::is_last_resort(bgp)) text += map_entry(anchor, bgp, as, is_v4, true, number += 10);
    }
  }
  return text + "route-map gatehouse-none deny 10\nexit\n!\n";
}

std::string session(const BgpNeighbour& each, const Bgp& bgp, std::uint32_t as) {
  const std::string begin = " neighbor " + to_string(each.address) + " ";
  const auto hold = bgp.hold_time.count() / 1000;
  std::string text = begin + "remote-as " + std::to_string(each.as) + "\n";
  if (bgp.bfd) text += begin + "bfd profile gatehouse\n";
  text += begin + "timers " + std::to_string(hold / 3) + " " + std::to_string(hold) + "\n" + begin +
          "timers connect 2\n";
  text += begin + "advertisement-interval 0\n";
  if (each.local_address) text += begin + "update-source " + to_string(*each.local_address) + "\n";
  if (each.ttl_security) text += begin + "ttl-security hops 1\n";
  if (each.multihop && each.as != as) text += begin + "ebgp-multihop " + std::to_string(each.multihop) + "\n";
  return text;
}

std::string family_part(const config::HostBgp& own, const std::vector<Anchor>& anchors, bool is_v4) {
  const bool has_vips = std::any_of(anchors.begin(), anchors.end(),
                                    [is_v4](const Anchor& each) { return has_family(each, is_v4); });
  const std::string out =
      has_vips ? std::string("prefix-list ") + list_of(is_v4) : "route-map gatehouse-none";
  std::string text;
  for (const BgpNeighbour& each : own.neighbours) {
    if (each.address.is_v4() != is_v4) continue;
    const std::string begin = "  neighbor " + to_string(each.address) + " ";
    text += begin + "activate\n" + begin + "next-hop-self\n" + begin + "route-map gatehouse-none in\n" +
            begin + out + " out\n";
  }
  if (text.empty()) return {};
  if (has_vips) text.insert(0, std::string("  redistribute connected route-map ") + list_of(is_v4) + "\n");
  return std::string(" address-family ") + (is_v4 ? "ipv4" : "ipv6") + " unicast\n" + text +
         " exit-address-family\n";
}

}  // namespace

std::string frr_config(const config::Config& config, const config::L4Host& host) {
  const config::HostBgp own = config::bgp_of(config, host);
  const std::vector<Anchor> anchors = config::anchors_of(config);
  const Bgp& bgp = *config.bgp;
  std::string text = config_title("FRR", config, host) + "!\n" + bfd_part(bgp) + prefix_lists(anchors) +
                     route_maps(anchors, bgp, own.as);
  text += "router bgp " + std::to_string(own.as) + "\n bgp router-id " + to_string(*own.router_id) +
          "\n no bgp default ipv4-unicast\n bgp graceful-restart-disable\n";
  for (const BgpNeighbour& each : own.neighbours) text += session(each, bgp, own.as);
  return text + family_part(own, anchors, true) + family_part(own, anchors, false) + "exit\n";
}

}  // namespace gatehouse::cli
