// ioctl, /proc/sys, and what bind() and connect() of a datagram socket say without sending anything.
#include "common/cli/local_network.h"

#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "common/fd.h"

namespace gatehouse::cli {
namespace {

Fd datagram_socket(const IpAddress& address) {
  return Fd(socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

// Asks about an interface; false when there is none.
bool ask(const std::string& interface, unsigned long request, ifreq& answer) {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  interface.copy(answer.ifr_name, IFNAMSIZ - 1);
  return ioctl(socket.get(), request, &answer) == 0;
}

template <typename Command>
bool ask_driver(const std::string& interface, Command& command) {
  ifreq request{};
  request.ifr_data = reinterpret_cast<char*>(&command);
  return ask(interface, SIOCETHTOOL, request);
}

}  // namespace

bool is_local(const IpAddress& address) {
  const Fd socket = datagram_socket(address);
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr({address, 0}, storage);
  return bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

std::optional<std::string> interface_towards(const IpAddress& address) {
  const Fd socket = datagram_socket(address);
  sockaddr_storage storage;
  socklen_t length = to_sockaddr({address, 9}, storage);
  if (connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0) return std::nullopt;
  length = sizeof storage;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
  const IpAddress source = Endpoint::from_sockaddr(storage).address;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return std::nullopt;
  std::optional<std::string> name;
  for (const ifaddrs* each = all; each && !name; each = each->ifa_next) {
    if (!each->ifa_addr || (each->ifa_addr->sa_family != AF_INET && each->ifa_addr->sa_family != AF_INET6))
      continue;
    sockaddr_storage own{};
    std::memcpy(&own, each->ifa_addr,
                each->ifa_addr->sa_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (Endpoint::from_sockaddr(own).address == source) name = each->ifa_name;
  }
  freeifaddrs(all);
  return name;
}

bool is_there(const std::string& interface) { return if_nametoindex(interface.c_str()) != 0; }

bool is_up(const std::string& interface) {
  ifreq answer{};
  return ask(interface, SIOCGIFFLAGS, answer) && (answer.ifr_flags & IFF_UP) &&
         (answer.ifr_flags & IFF_RUNNING);
}

int mtu_of(const std::string& interface) {
  ifreq answer{};
  return ask(interface, SIOCGIFMTU, answer) ? answer.ifr_mtu : 0;
}

std::string driver_of(const std::string& interface) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  return ask_driver(interface, info) ? std::string(info.driver, strnlen(info.driver, sizeof info.driver))
                                     : "";
}

bool offloads_checksums(const std::string& interface) {
  ethtool_value value{};
  value.cmd = ETHTOOL_GTXCSUM;
  return ask_driver(interface, value) && value.data != 0;
}

std::optional<long> sysctl(const std::string& name) {
  std::ifstream stream("/proc/sys/" + name);
  long value = 0;
  return stream >> value ? std::optional(value) : std::nullopt;
}

long interface_sysctl(const std::string& family, const std::string& interface, const std::string& name) {
  return std::max(sysctl(family + "/all/" + name).value_or(0),
                  sysctl(family + "/" + interface + "/" + name).value_or(0));
}

}  // namespace gatehouse::cli
