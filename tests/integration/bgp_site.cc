#include "tests/integration/bgp_site.h"

#include <unistd.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

namespace gatehouse::test {
namespace {

constexpr const char* kVip = "198.51.100.10";
constexpr const char* kVip6 = "2001:db8:100::10";
constexpr const char* kBird = "/usr/sbin/bird";

struct Peer {
  const char* host;
  const char* address;
  const char* address_v6;
};
constexpr Peer kPeers[] = {{"l4a", "192.0.2.11", "2001:db8:2::11"}, {"l4b", "192.0.2.13", "2001:db8:2::13"}};

// A router as an operator would write it: ECMP into the kernel, BFD, quick to come back.
std::string router_config() {
  std::string text =
      "log stderr all;\nrouter id 192.0.2.254;\nprotocol device { }\n"
      "protocol kernel k4 { ipv4 { import none; export all; }; merge paths on limit 16; }\n"
      "protocol kernel k6 { ipv6 { import none; export all; }; merge paths on limit 16; }\n"
      "protocol bfd { interface \"*\" { interval 50 ms; multiplier 3; }; }\n"
      "template bgp l4 { local as 64500; bfd on; hold time 9; connect delay time 1; connect retry time 2; "
      "error wait time 1, 3; error forget time 5; graceful restart off; }\n";
  for (const Peer& peer : kPeers) {
    const std::string name = peer.host;
    text += "protocol bgp " + name + "_4 from l4 { neighbor " + peer.address +
            " as 65010; ipv4 { import all; export none; }; }\n";
    text += "protocol bgp " + name + "_6 from l4 { neighbor " + peer.address_v6 +
            " as 65010; ipv6 { import all; export none; }; }\n";
  }
  return text;
}

// "[2026-11-21T11:00:35.808124] 198.51.100.10 proto bird …"
std::optional<RouteEvent> parse_event(const std::string& line) {
  if (line.empty() || line[0] != '[') return std::nullopt;
  std::tm time{};
  const char* rest = strptime(line.c_str() + 1, "%Y-%m-%dT%H:%M:%S", &time);
  if (!rest) return std::nullopt;
  time.tm_isdst = -1;
  return RouteEvent{static_cast<double>(std::mktime(&time)) + std::strtod(rest, nullptr), line};
}

std::string hops_in(const std::string& text, bool is_v6) {
  std::string hops;
  for (const Peer& peer : kPeers) {
    const std::string via = std::string("via ") + (is_v6 ? peer.address_v6 : peer.address) + " ";
    if (text.find(via) != text.npos) hops += (hops.empty() ? "" : " ") + std::string(peer.host);
  }
  return hops;
}

}  // namespace

std::string bgp_config(const std::string& more) {
  std::string text = quickstart_config();
  for (const Peer& peer : kPeers) {
    const std::string control = "control = \"" + std::string(peer.address) + ":6082\"\n";
    // The router's end of a link has the address before.
    std::string router = peer.address, router_v6 = peer.address_v6;
    --router.back();
    --router_v6.back();
    text = replaced(text, control,
                    control + "[l4_host.bgp]\nneighbours = [{ address = \"" + router +
                        "\", as = 64500 }, { address = \"" + router_v6 + "\", as = 64500 }]\n");
  }
  return text +
         "\n[bgp]\nas = 65010\nmin_healthy = 50\nbfd_interval = \"50ms\"\ncommunities = [\"65010:100\"]\n" +
         more;
}

std::string why_no_bird() {
  return ::access(kBird, X_OK) == 0 ? "" : "BIRD is not installed: ./deploy/install-packages test";
}

double unix_seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Status BgpSite::begin() {
  lab::Lab& lab = site_.lab();
  for (const char* vip : {kVip, kVip6}) {
    const lab::Output removed = lab.run("router", {"ip", "route", "del", vip});
    if (removed.exit_code != 0) return Error{"ip route del: " + removed.errors};
  }
  return lab.start("router", "routes", {"ip", "-ts", "-o", "monitor", "route"});
}

Status BgpSite::up() {
  if (Status begun = begin(); !begun) return begun;
  if (Status started = start_router_bird(); !started) return started;
  for (const Peer& peer : kPeers) {
    if (Status started = start_bird(peer.host); !started) return started;
  }
  if (wait_for_hops("l4a l4b")) return {};
  return Error{"the VIPs' routes did not come: \"" + hops() + "\" and \"" + hops(true) + "\"\n" +
               site_.log("bird-router") + site_.log("bird-l4a") +
               ask_bird("l4a", {"show", "protocols", "all"})};
}

std::string BgpSite::printed_config(const std::string& host, const std::string& daemon) {
  const lab::Output printed =
      site_.cli(host, {"bgp", daemon, "--config", site_.config_file(host), "--host", host});
  return printed.exit_code == 0 ? printed.text : printed.errors;
}

Status BgpSite::start_bird(const std::string& host) {
  return start_bird(host, "log stderr all;\n" + printed_config(host, "bird"));
}

Status BgpSite::start_router_bird() { return start_bird("router", router_config()); }

Status BgpSite::start_bird(const std::string& host, const std::string& text) {
  const std::string folder = site_.lab().host_folder(host);
  std::ofstream(folder + "/bird.conf") << text;
  return site_.lab().start(
      host, "bird-" + host,
      {kBird, "-f", "-c", folder + "/bird.conf", "-s", folder + "/bird.ctl", "-P", folder + "/bird.pid"});
}

std::string BgpSite::ask_bird(const std::string& host, const std::vector<std::string>& words) const {
  lab::Arguments argv = {"birdc", "-s", site_.lab().host_folder(host) + "/bird.ctl"};
  argv.insert(argv.end(), words.begin(), words.end());
  const lab::Output output = site_.lab().run(host, argv);
  return output.text + output.errors;
}

std::string BgpSite::hops(bool is_v6) const {
  const lab::Output output = site_.lab().run("router", {"ip", is_v6 ? "-6" : "-4", "-o", "route", "show", is_v6 ? kVip6 : kVip});
  return hops_in(output.text, is_v6);
}

bool BgpSite::wait_for_hops(const std::string& wanted, std::chrono::seconds limit) const {
  return lab::wait_until([&] { return hops() == wanted && hops(true) == wanted; }, limit,
                         std::chrono::milliseconds(10));
}

std::vector<RouteEvent> BgpSite::events_since(double unix_seconds) const {
  std::vector<RouteEvent> events;
  std::istringstream lines(site_.log("routes"));
  for (std::string line; std::getline(lines, line);) {
    const auto event = parse_event(line);
    const bool is_vips = line.find(kVip) != line.npos || line.find(kVip6) != line.npos;
    if (event && is_vips && event->unix_seconds >= unix_seconds) events.push_back(*event);
  }
  return events;
}

std::optional<double> BgpSite::moved_after(double unix_seconds, const std::string& hops) const {
  for (const RouteEvent& event : events_since(unix_seconds)) {
    if (event.text.find(kVip) == event.text.npos) continue;
    const bool is_gone = event.text.find("Deleted") != event.text.npos;
    if ((is_gone ? "" : hops_in(event.text, false)) == hops)
      return (event.unix_seconds - unix_seconds) * 1000;
  }
  return std::nullopt;
}

Json BgpSite::announcement(const std::string& host, const std::string& address) const {
  const Json report = site_.status(host);
  if (!report.is_object()) return Json::object();
  for (const Json& each : report.value("announcements", Json::array())) {
    if (each.value("address", "") == address) return each;
  }
  return Json::object();
}

}  // namespace gatehouse::test
