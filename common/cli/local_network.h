// Small questions to the kernel about this host's network, for the doctor. None changes anything.
#pragma once

#include <optional>
#include <string>

#include "common/address.h"

namespace gatehouse::cli {

bool is_local(const IpAddress& address);  // packets to it are this host's
// The interface whose address packets to `address` would have; none: there is no route.
std::optional<std::string> interface_towards(const IpAddress& address);

bool is_up(const std::string& interface);  // false too when it is not there
bool is_there(const std::string& interface);
int mtu_of(const std::string& interface);               // 0: unknown
std::string driver_of(const std::string& interface);    // empty: unknown
bool offloads_checksums(const std::string& interface);  // of what it sends

// The number in /proc/sys/NAME; none: this kernel has no such setting.
std::optional<long> sysctl(const std::string& name);
// The stricter of what holds for all interfaces and for one: "net/ipv4/conf", "eth0", "rp_filter".
long interface_sysctl(const std::string& family, const std::string& interface, const std::string& name);

}  // namespace gatehouse::cli
