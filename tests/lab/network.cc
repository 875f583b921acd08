#include "tests/lab/network.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "common/fd.h"
#include "tests/lab/process.h"

namespace gatehouse::lab {

namespace {

std::string prefix_of(const IpAddress& address) {
  return to_string(address) + (address.is_v4() ? "/32" : "/128");
}

Status ip_batch(const std::string& net, const std::string& commands) {
  const Output output = run(net, {"ip", "-batch", "-"}, commands);
  if (output.exit_code == 0) return {};
  return Error{"ip: " + output.errors + "in:\n" + commands};
}

Status write_setting(const std::string& name, const std::string& value) {
  const std::string path = "/proc/sys/net/" + name;
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.is_open() || ::write(fd.get(), value.data(), value.size()) < 0) return system_error(path);
  return {};
}

// Before any link exists, so that links inherit the defaults.
Status write_settings(Role role) {
  std::vector<std::pair<std::string, std::string>> settings = {{"ipv6/conf/default/accept_dad", "0"},
                                                               {"ipv6/conf/all/accept_dad", "0"},
                                                               {"ipv4/conf/all/rp_filter", "0"},
                                                               {"ipv4/conf/default/rp_filter", "0"},
                                                               {"ipv4/tcp_congestion_control", "cubic"}};
  if (role == Role::kRouter) {
    // Flows are spread by addresses and ports; one client address must not mean one L4 host.
    settings.insert(settings.end(), {{"ipv4/ip_forward", "1"},
                                     {"ipv6/conf/all/forwarding", "1"},
                                     {"ipv4/fib_multipath_hash_policy", "1"},
                                     {"ipv6/fib_multipath_hash_policy", "1"},
                                     {"ipv4/conf/all/send_redirects", "0"},
                                     {"ipv4/conf/default/send_redirects", "0"}});
  }
  // A node must not ask for its router's MAC in the name of a VIP.
  if (role == Role::kNode) settings.emplace_back("ipv4/conf/all/arp_announce", "2");
  for (const auto& [name, value] : settings) {
    if (Status status = write_setting(name, value); !status) return status;
  }
  // For stable figures; where the machine does not let namespaces choose, its default will do.
  (void)write_setting("ipv4/tcp_congestion_control", "cubic");
  return {};
}

// A namespace may only choose what the machine allows.
void allow_cubic() {
  const std::string name = "ipv4/tcp_allowed_congestion_control";
  std::ifstream stream("/proc/sys/net/" + name);
  std::string allowed;
  std::getline(stream, allowed);
  if (allowed.find("cubic") == allowed.npos) (void)write_setting(name, allowed + " cubic");
}

Status turn_off_checksum_offload(const std::string& link) {
  Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ethtool_value value{ETHTOOL_STXCSUM, 0};
  ifreq request{};
  std::strncpy(request.ifr_name, link.c_str(), IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  if (::ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return system_error("checksum offload of " + link);
  return {};
}

// Attached without a link object, so that it stays when this process ends.
Status attach_verdict(const std::string& link, Uplink uplink) {
  const int index = static_cast<int>(if_nametoindex(link.c_str()));
  if (index == 0) return system_error(link);
  Fd program;
  if (uplink != Uplink::kPlain) {
    const int verdict = uplink == Uplink::kPassProgram ? XDP_PASS : XDP_DROP;
    const bpf_insn instructions[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = verdict},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
    program = Fd(bpf_prog_load(BPF_PROG_TYPE_XDP, "lab_uplink", "GPL", instructions, std::size(instructions),
                               nullptr));
    if (!program.is_open()) return system_error("load the uplink program");
  }
  if (bpf_xdp_attach(index, program.get(), XDP_FLAGS_DRV_MODE, nullptr) == 0) return {};
  return system_error("attach XDP to " + link);
}

bool transmits_from_xdp(const Host& host) { return host.role == Role::kL4 || host.role == Role::kNode; }

std::string address_lines(const LinkAddress& address, const std::string& link, bool is_router_end) {
  const IpAddress& local = is_router_end ? address.peer() : address.address;
  return "addr add " + to_string(local) + "/" + std::to_string(address.prefix_length) + " dev " + link + "\n";
}

std::string host_commands(const Topology& topology, const Host& host) {
  std::string lines = "link set lo up\n";
  lines += std::string("link set ") + kLinkName + " up\n";
  for (const LinkAddress& address : host.addresses) lines += address_lines(address, kLinkName, false);
  for (const LinkAddress& address : host.addresses) {
    lines += std::string("route add ") + (address.peer().is_v4() ? "0.0.0.0/0" : "::/0") + " via " +
             to_string(address.peer()) + "\n";
  }
  if (host.role != Role::kNode) return lines;
  for (const IpAddress& vip : topology.vips) lines += "addr add " + prefix_of(vip) + " dev lo\n";
  return lines + "addr add " + prefix_of(topology.probe_address) + " dev lo\n";
}

std::string router_commands(const Topology& topology) {
  std::string lines = "link set lo up\n";
  for (const Host& host : topology.hosts) {
    if (host.role == Role::kRouter) continue;
    lines += "link set " + host.name + " up\n";
    for (const LinkAddress& address : host.addresses) lines += address_lines(address, host.name, true);
  }
  return lines;
}

Status configure_host(const std::string& lab, const Topology& topology, const Host& host) {
  const std::string net = namespace_of(lab, host.name);
  const std::string commands =
      host.role == Role::kRouter ? router_commands(topology) : host_commands(topology, host);
  if (Status status = ip_batch(net, commands); !status) return status;
  if (host.role == Role::kL4) {
    // Probes are tunnelled on their way out: their checksum must be in place before the outer header is.
    return in_namespace(net, [] { return turn_off_checksum_offload(kLinkName); });
  }
  if (host.role != Role::kRouter) return {};
  return in_namespace(net, [&]() -> Status {
    for (const Host& other : topology.hosts) {
      if (!transmits_from_xdp(other)) continue;
      if (Status status = attach_verdict(other.name, Uplink::kPassProgram); !status) return status;
      if (other.role != Role::kL4) continue;
      if (Status status = turn_off_checksum_offload(other.name); !status) return status;
    }
    return {};
  });
}

}  // namespace

std::string namespace_of(const std::string& lab, const std::string& host) {
  return kNamespaceFolder + lab + "-" + host;
}

Status create_network(const std::string& lab, const Topology& topology) {
  std::string namespaces, links;
  for (const Host& host : topology.hosts) {
    namespaces += "netns add " + lab + "-" + host.name + "\n";
    if (host.role == Role::kRouter) continue;
    const std::string mtu = std::to_string(host.mtu);
    links += "link add name " + host.name + " mtu " + mtu + " netns " + lab + "-" + topology.router().name +
             " type veth peer name " + kLinkName + " mtu " + mtu + " netns " + lab + "-" + host.name + "\n";
  }
  if (Status status = ip_batch({}, namespaces); !status) return status;
  allow_cubic();
  for (const Host& host : topology.hosts) {
    Status status = in_namespace(namespace_of(lab, host.name), [&] { return write_settings(host.role); });
    if (!status) return status;
  }
  if (Status status = ip_batch({}, links); !status) return status;
  for (const Host& host : topology.hosts) {
    if (Status status = configure_host(lab, topology, host); !status) return status;
  }
  std::vector<std::string> l4_hosts;
  for (const Host* host : topology.with_role(Role::kL4)) l4_hosts.push_back(host->name);
  return l4_hosts.empty() ? Status() : route_vips(lab, topology, l4_hosts);
}

void remove_network(const std::string& lab, const Topology& topology) {
  for (const Host& host : topology.hosts) {
    const std::string path = namespace_of(lab, host.name);
    ::umount2(path.c_str(), MNT_DETACH);
    ::unlink(path.c_str());
  }
}

Status route_vips(const std::string& lab, const Topology& topology, const std::vector<std::string>& hosts) {
  std::string lines;
  for (const IpAddress& vip : topology.vips) {
    std::string next_hops;
    for (const std::string& name : hosts) {
      const Host* host = topology.find(name);
      if (!host) return Error{"no host " + name};
      for (const LinkAddress& address : host->addresses) {
        if (address.address.is_v4() != vip.is_v4()) continue;
        next_hops += " nexthop via " + to_string(address.address) + " dev " + name;
      }
    }
    lines += "route replace " + prefix_of(vip) + next_hops + "\n";
  }
  return ip_batch(namespace_of(lab, topology.router().name), lines);
}

Status set_uplink(const std::string& lab, const Topology& topology, const std::string& host, Uplink uplink) {
  const Host* found = topology.find(host);
  if (!found) return Error{"no host " + host};
  if (uplink == Uplink::kPlain && transmits_from_xdp(*found)) uplink = Uplink::kPassProgram;
  return in_namespace(namespace_of(lab, topology.router().name),
                      [&] { return attach_verdict(host, uplink); });
}

Status mount_bpf_filesystem() {
  struct statfs info;
  if (::statfs("/sys/fs/bpf", &info) == 0 && info.f_type == BPF_FS_MAGIC) return {};
  if (::mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0) return {};
  return system_error("mount /sys/fs/bpf");
}

}  // namespace gatehouse::lab
