// The doctor's checks of interfaces, addresses and the settings of the kernel's network.
#include <algorithm>
#include <set>

#include "common/cli/doctor.h"
#include "common/cli/local_network.h"
#include "common/config/tunnel.h"

namespace gatehouse::cli {
namespace {

constexpr int kClientMtu = 1500;

// As ethtool -i calls those of the kernel of Debian 12 that know native XDP; more have learned it since.
const std::set<std::string> kXdpDrivers = {
    "atlantic",  "bnxt_en",     "bonding", "cpsw",  "ena",       "fsl_dpaa2_eth", "fsl_enetc", "hv_netvsc",
    "i40e",      "ice",         "igb",     "igc",   "ixgbe",     "ixgbevf",       "mana",      "mlx4_en",
    "mlx5_core", "mtk_eth_soc", "mvneta",  "mvpp2", "netsec",    "nfp",           "nicvf",     "qede",
    "sfc",       "st_gmac",     "tun",     "veth",  "virtio_net"};

bool is_by_dpdk(const Patient& patient) { return patient.l4_host && !patient.l4_host->dpdk.empty(); }

void check_interfaces(const Patient& patient, Findings& findings) {
  for (const std::string& name : patient.interfaces()) {
    if (!is_there(name)) {
      findings.fault("there is no interface " + name, "name one of `ip -brief link` in the config");
    } else if (!is_up(name)) {
      findings.fault(name + " is down", "ip link set " + name + " up; look at the cable and at the switch");
    }
  }
}

void check_xdp(const Patient& patient, Findings& findings) {
  if (is_by_dpdk(patient)) return;
  for (const std::string& name : patient.interfaces()) {
    const std::string driver = driver_of(name);
    if (!is_there(name) || kXdpDrivers.contains(driver)) continue;
    const std::string what = name + " has the driver " + (driver.empty() ? "of nobody" : driver) +
                             ", which is not known for native XDP";
    const bool is_demanded = patient.l4_host && patient.l4_host->xdp_mode == "native";
    const std::string cure =
        "generic mode works and is several times slower: see XDP mode in gatehouse status, or take another "
        "card";
    is_demanded ? findings.fault(what, cure) : findings.note(what, cure);
  }
}

void check_mtu(const Patient& patient, Findings& findings) {
  if (patient.interfaces().empty()) return;
  const config::Config& config = patient.loaded.config;
  const int fabric = static_cast<int>(config.site.fabric_mtu);
  for (const std::string& name : patient.interfaces()) {
    const int mtu = mtu_of(name);
    if (mtu == 0 || mtu >= fabric) continue;
    findings.fault(name + " has an MTU of " + std::to_string(mtu) + ", the config promises " +
                       std::to_string(fabric) + ": long packets in the tunnel are lost without a word",
                   "ip link set " + name + " mtu " + std::to_string(fabric) +
                       ", or set site.fabric_mtu to what the whole fabric can");
  }
  int overhead = 0;
  for (const config::Vip& vip : config.vips)
    overhead = std::max(overhead, static_cast<int>(config::outer_length(vip, config)));
  if (fabric >= kClientMtu + overhead || config.vips.empty()) return;
  findings.note(
      "a client's packet of " + std::to_string(kClientMtu) + " bytes and the tunnel's " +
          std::to_string(overhead) + " do not fit into site.fabric_mtu, " + std::to_string(fabric) +
          ": nodes ask clients for shorter ones",
      "an MTU of " + std::to_string(kClientMtu + overhead) + " or more in the fabric, and site.fabric_mtu");
}

void check_reverse_path(const Patient& patient, Findings& findings) {
  for (const std::string& name : patient.interfaces()) {
    if (!is_there(name) || interface_sysctl("net/ipv4/conf", name, "rp_filter") != 1) continue;
    findings.fault(name + " drops packets whose sender it would answer by another way (rp_filter is strict)",
                   "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf." + name + ".rp_filter=2");
  }
}

// Of a virtual link what is sent carries no checksum until it leaves the machine, and XDP sends it on as it
// is.
void check_checksums(const Patient& patient, Findings& findings) {
  if (!patient.l4_host || is_by_dpdk(patient)) return;
  for (const std::string& name : patient.interfaces()) {
    if (driver_of(name) != "veth" || !offloads_checksums(name)) continue;
    findings.fault(name + " is virtual and leaves checksums to others: its probes do not survive the tunnel",
                   "ethtool -K " + name + " tx off");
  }
}

void check_probe_route(const Patient& patient, Findings& findings) {
  if (!patient.l4_host) return;
  const IpAddress& probe = patient.loaded.config.probe.address;
  const std::string& wanted = patient.l4_host->interfaces.front();
  const std::string cure =
      "ip route add " + to_string(probe) + " dev " + wanted + ", or a default route by it";
  const auto interface = interface_towards(probe);
  if (!interface)
    return findings.fault(
        "there is no route to probe.address, " + to_string(probe) + ": every node seems dead", cure);
  if (*interface != wanted)
    findings.fault("probes to " + to_string(probe) + " leave by " + *interface + ", not by " + wanted, cure);
}

void check_addresses(const Patient& patient, Findings& findings) {
  const config::Config& config = patient.loaded.config;
  if (patient.l4_host && !is_local(patient.l4_host->address)) {
    findings.fault(to_string(patient.l4_host->address) + ", the address of this L4 host, is not local",
                   "ip address add it, or run this with another --host");
  }
  if (!patient.node) return;
  if (!is_local(patient.node->address)) {
    findings.fault(to_string(patient.node->address) + ", the address of this node, is not local",
                   "ip address add it, or run this with another --node");
  }
  std::set<IpAddress> wanted = {config.probe.address};
  for (const config::Vip& vip : config.vips) {
    const bool is_ours = vip.nodes.empty() ||
                         std::any_of(vip.nodes.begin(), vip.nodes.end(), [&](const config::VipNode& each) {
                           return each.name == patient.node->name;
                         });
    if (is_ours) wanted.insert(vip.address);
  }
  for (const IpAddress& address : wanted) {
    if (is_local(address)) continue;
    findings.fault(to_string(address) + " is not local: what the tunnel brings for it is dropped",
                   "ip address add " + to_string(address) + (address.is_v4() ? "/32" : "/128") + " dev lo");
  }
}

void check_arp(const Patient& patient, Findings& findings) {
  if (!patient.node || patient.loaded.config.vips.empty()) return;
  const std::string& name = patient.node->interface;
  const bool is_quiet = interface_sysctl("net/ipv4/conf", name, "arp_ignore") >= 1 &&
                        interface_sysctl("net/ipv4/conf", name, "arp_announce") >= 2;
  if (is_quiet) return;
  findings.note("on a segment that it shares with the router, this node would answer ARP for VIPs",
                "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2");
}

void check_syn_cookies(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  if (sysctl("net/ipv4/tcp_syncookies").value_or(1) == 0) {
    findings.fault("the kernel makes no SYN cookies: a flood of SYNs fills the listeners' queues",
                   "sysctl -w net.ipv4.tcp_syncookies=1");
  }
}

void check_timestamps(const Patient& patient, Findings& findings) {
  if (!patient.has_workers()) return;
  if (sysctl("net/ipv4/tcp_timestamps").value_or(1) == 0) {
    findings.fault(
        "TCP has no timestamps: round trips are measured badly, and connections of SYN cookies lose window "
        "scaling",
        "sysctl -w net.ipv4.tcp_timestamps=1");
  }
}

// Of listeners with addresses of their own the kernel chooses the worker; those of VIPs have programs for it.
void check_migration(const Patient& patient, Findings& findings) {
  if (!patient.has_workers() || sysctl("net/ipv4/tcp_migrate_req").value_or(1) == 1) return;
  const config::Config& config = patient.loaded.config;
  const bool has_addresses = std::any_of(config.listeners.begin(), config.listeners.end(),
                                         [](const auto& listener) { return !listener.addresses.empty(); });
  if (!has_addresses) return;
  findings.note(
      "handshakes that have begun with a worker that leaves, at an upgrade or with fewer workers, are lost",
      "sysctl -w net.ipv4.tcp_migrate_req=1");
}

}  // namespace

std::vector<Check> network_checks() {
  return {{"interface", check_interfaces},
          {"xdp", check_xdp},
          {"mtu", check_mtu},
          {"rp-filter", check_reverse_path},
          {"checksums", check_checksums},
          {"probe-route", check_probe_route},
          {"addresses", check_addresses},
          {"arp", check_arp},
          {"syn-cookies", check_syn_cookies},
          {"timestamps", check_timestamps},
          {"migration", check_migration}};
}

}  // namespace gatehouse::cli
