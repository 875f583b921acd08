// BIRD's default waits after an error are minutes: a session that flapped once would stay down for that long.
#include "common/cli/bgp_config.h"

namespace gatehouse::cli {
namespace {

using config::Anchor;
using config::Bgp;
using config::BgpNeighbour;

// "gh-web", and "gh-web-d" where a drained host is a last resort.
std::vector<std::string> interfaces_of(const Anchor& anchor, const Bgp& bgp) {
  std::vector<std::string> names = {anchor.interface};
  if (config::is_last_resort(bgp)) names.push_back(anchor.drain_interface());
  return names;
}

std::string device_part(const config::HostBgp& own) {
  return "router id " + to_string(*own.router_id) + ";\n\nprotocol device { }\n";
}

std::string direct_part(const std::vector<Anchor>& anchors, const Bgp& bgp) {
  std::string names;
  for (const Anchor& anchor : anchors) {
    for (const std::string& name : interfaces_of(anchor, bgp))
      names += (names.empty() ? "\"" : ", \"") + name + "\"";
  }
  return "\n# An address on one of these interfaces is a VIP that gatehouse-l4 can serve.\n"
         "protocol direct gatehouse_anchors {\n  ipv4;\n  ipv6;\n  interface " +
         names + ";\n}\n";
}

std::string bfd_part(const Bgp& bgp) {
  if (!bgp.bfd) return {};
  const std::string times = "interval " + std::to_string(bgp.bfd_interval.count()) + " ms; multiplier " +
                            std::to_string(bgp.bfd_multiplier) + ";";
  return "\nprotocol bfd gatehouse_bfd {\n  interface \"*\" { " + times + " };\n  multihop { " + times +
         " };\n}\n";
}

std::string community_line(const std::string& text) {
  const auto community = config::parse_community(text);
  std::string parts;
  for (const std::uint32_t part : community->parts)
    parts += (parts.empty() ? "" : ", ") + std::to_string(part);
  return std::string(community->parts.size() == 3 ? "bgp_large_community" : "bgp_community") + ".add((" +
         parts + "));";
}

// What routes of one anchor carry.
std::string anchor_lines(const Anchor& anchor, const Bgp& bgp, std::uint32_t as) {
  std::string condition, lines;
  for (const std::string& name : interfaces_of(anchor, bgp)) {
    condition += (condition.empty() ? "ifname = \"" : " || ifname = \"") + name + "\"";
  }
  for (const std::string& each : anchor.communities) lines += "    " + community_line(each) + "\n";
  if (!lines.empty()) lines = "  if " + condition + " then {\n" + lines + "  }\n";
  if (!config::is_last_resort(bgp)) return lines;
  lines += "  if ifname = \"" + anchor.drain_interface() + "\" then {\n    bgp_community.add((65535, 0));\n";
  if (bgp.drain == "med") lines += "    bgp_med = " + std::to_string(bgp.drain_med) + ";\n";
  for (std::uint32_t i = 0; bgp.drain == "prepend" && i < bgp.drain_prepend; ++i) {
    lines += "    bgp_path.prepend(" + std::to_string(as) + ");\n";
  }
  return lines + "  }\n";
}

// Empty: there is no VIP of that family.
std::string filter_part(const std::vector<Anchor>& anchors, const Bgp& bgp, std::uint32_t as, bool is_v4) {
  std::string prefixes, lines;
  for (const Anchor& anchor : anchors) {
    bool has_vip = false;
    for (const config::AnnouncedAddress& each : anchor.addresses) {
      if (each.address.is_v4() != is_v4) continue;
      prefixes += (prefixes.empty() ? "" : ", ") + to_string(each.address) + (is_v4 ? "/32" : "/128");
      has_vip = true;
    }
    if (has_vip) lines += anchor_lines(anchor, bgp, as);
  }
  if (prefixes.empty()) return {};
  return std::string("\nfilter gatehouse_vips_") + (is_v4 ? "v4" : "v6") +
         " {\n  if proto != \"gatehouse_anchors\" then reject;\n  if net !~ [ " + prefixes +
         " ] then reject;\n" + lines + "  accept;\n}\n";
}

std::string template_part(const Bgp& bgp, std::uint32_t as) {
  const auto hold = bgp.hold_time.count() / 1000;
  return "\ntemplate bgp gatehouse_router {\n  local as " + std::to_string(as) + ";\n" +
         (bgp.bfd ? "  bfd on;\n" : "") + "  hold time " + std::to_string(hold) + ";\n  keepalive time " +
         std::to_string(hold / 3) +
         ";\n"
         "  connect delay time 1;\n  connect retry time 2;\n  error wait time 1, 3;\n  error forget time 5;\n"
         "  # A host that is gone must not be kept as though it came back.\n"
         "  graceful restart off;\n}\n";
}

std::string neighbour_part(const BgpNeighbour& each, std::size_t number, std::uint32_t as, bool has_vips) {
  const bool is_v4 = each.address.is_v4();
  std::string text =
      "\nprotocol bgp gatehouse_router" + std::to_string(number) + " from gatehouse_router {\n";
  if (each.local_address)
    text += "  local " + to_string(*each.local_address) + " as " + std::to_string(as) + ";\n";
  text += "  neighbor " + to_string(each.address) + " as " + std::to_string(each.as) + ";\n";
  text += each.multihop ? "  multihop " + std::to_string(each.multihop) + ";\n" : std::string("  direct;\n");
  if (each.ttl_security) text += "  ttl security on;\n";
  const std::string filter =
      has_vips ? std::string("filter gatehouse_vips_") + (is_v4 ? "v4" : "v6") : "none";
  return text + (is_v4 ? "  ipv4 {" : "  ipv6 {") + " import none; export " + filter +
         "; next hop self; };\n}\n";
}

}  // namespace

std::string config_title(const std::string& daemon, const config::Config& config,
                         const config::L4Host& host) {
  return "# " + daemon + " on " + host.name + " of site " + config.site.name +
         ", written by `gatehouse bgp`: change the site's config instead.\n";
}

std::string bird_config(const config::Config& config, const config::L4Host& host, bool is_part) {
  const config::HostBgp own = config::bgp_of(config, host);
  const std::vector<Anchor> anchors = config::anchors_of(config);
  const Bgp& bgp = *config.bgp;
  std::string text = config_title("BIRD", config, host);
  if (!is_part) text += device_part(own);
  text += direct_part(anchors, bgp) + bfd_part(bgp);
  const std::string v4 = filter_part(anchors, bgp, own.as, true);
  const std::string v6 = filter_part(anchors, bgp, own.as, false);
  text += v4 + v6 + template_part(bgp, own.as);
  std::size_t number = 0;
  for (const BgpNeighbour& each : own.neighbours) {
    text += neighbour_part(each, ++number, own.as, !(each.address.is_v4() ? v4 : v6).empty());
  }
  return text;
}

}  // namespace gatehouse::cli
