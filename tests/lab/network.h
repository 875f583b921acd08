// The kernel side of a lab: namespaces, links, addresses, routes, and the veth settings without which native
// XDP loses packets silently (a program on the peer of every device that transmits from XDP; no checksum
// offload before one). Functions over names only; the lab decides order and ownership. All need root.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "tests/lab/topology.h"

namespace gatehouse::lab {

inline constexpr const char* kNamespaceFolder = "/run/netns/";
inline constexpr const char* kLinkName = "e0";  // of every host but the router

// Namespaces are called LAB-HOST.
std::string namespace_of(const std::string& lab, const std::string& host);  // path
Status create_network(const std::string& lab, const Topology& topology);
void remove_network(const std::string& lab, const Topology& topology);

// Routes every VIP at the router, by ECMP, to these hosts and no other.
Status route_vips(const std::string& lab, const Topology& topology, const std::vector<std::string>& hosts);

// What the router does with the packets that come from a host.
enum class Uplink { kPlain, kPassProgram, kDropProgram };
Status set_uplink(const std::string& lab, const Topology& topology, const std::string& host, Uplink uplink);

// Mounts /sys/fs/bpf unless it is.
Status mount_bpf_filesystem();

}  // namespace gatehouse::lab
