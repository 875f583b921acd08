#include "l7/supervisor/listener_sockets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>

#include "common/config/tunnel.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {
namespace {

constexpr int kBacklog = 4096;
constexpr int kUsualMssV4 = 1460;
constexpr int kUsualMssV6 = 1440;

void set_option(const Fd& socket, int level, int name, int value) { setsockopt(socket.get(), level, name, &value, sizeof value); }

bool has_vip_of_family(const config::Config& config, const config::Listener& listener, bool is_v4) {
  return std::any_of(config.vips.begin(), config.vips.end(), [&](const config::Vip& vip) {
    return vip.address.is_v4() == is_v4 && std::find(listener.vips.begin(), listener.vips.end(), vip.name) != listener.vips.end();
  });
}

WantedSocket steered(const Steering& steering, const std::string& listener, bool is_v4) {
  const IpAddress loopback = *IpAddress::parse(is_v4 ? "127.0.0.1" : "::1");
  return {listener, "vips of " + listener + ", place " + steering.place_of(listener, is_v4), true, {loopback, 0}};
}

// One socket serves all VIPs of the listener: the longest outer header counts. Probes come through the default one.
int segment_of(const std::string& listener, bool is_v4, const config::Config& config) {
  std::uint32_t outer = listener == kProbeListener ? outer_length(config::Vip(), config) : 0;
  for (const config::Listener& candidate : config.listeners) {
    if (candidate.name != listener) continue;
    for (const config::Vip& vip : config.vips) {
      const bool is_taken = std::find(candidate.vips.begin(), candidate.vips.end(), vip.name) != candidate.vips.end();
      if (is_taken && vip.address.is_v4() == is_v4) outer = std::max(outer, outer_length(vip, config));
    }
  }
  const int inner = is_v4 ? 40 : 60;
  return std::min(static_cast<int>(config.site.fabric_mtu - outer) - inner, is_v4 ? kUsualMssV4 : kUsualMssV6);
}

}  // namespace

int smallest_segment(const config::Config& config, bool is_v4) {
  int smallest = segment_of(std::string(kProbeListener), is_v4, config);
  for (const config::Listener& listener : config.listeners) {
    if (has_vip_of_family(config, listener, is_v4)) smallest = std::min(smallest, segment_of(listener.name, is_v4, config));
  }
  return smallest;
}

std::vector<WantedSocket> wanted_sockets(const config::Config& config, const Steering* steering) {
  std::vector<WantedSocket> wanted;
  if (steering) wanted.push_back(steered(*steering, std::string(kProbeListener), config.probe.address.is_v4()));
  for (const config::Listener& listener : config.listeners) {
    for (const bool is_v4 : {true, false}) {
      if (steering && has_vip_of_family(config, listener, is_v4)) wanted.push_back(steered(*steering, listener.name, is_v4));
    }
    for (const Endpoint& address : listener.addresses) {
      wanted.push_back({listener.name, listener.name + " at " + to_string(address), false, address});
    }
  }
  return wanted;
}

Result<Fd> make_listener_socket(const WantedSocket& wanted, const config::Config& config, std::uint32_t worker, Steering* steering) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(wanted.address, storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return system_error("cannot make a socket for listener " + wanted.listener);
  set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!wanted.is_steered) set_option(socket, SOL_SOCKET, SO_REUSEPORT, 1);
  if (storage.ss_family == AF_INET6) set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  const bool is_v4 = wanted.address.address.is_v4();
  const int segment = segment_of(wanted.listener, is_v4, config);
  if (wanted.is_steered && segment < (is_v4 ? kUsualMssV4 : kUsualMssV6)) set_option(socket, IPPROTO_TCP, TCP_MAXSEG, segment);
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 || listen(socket.get(), kBacklog) != 0) {
    return system_error("[[listener]] \"" + wanted.listener + "\" cannot listen on " + to_string(wanted.address));
  }
  if (!wanted.is_steered) return socket;
  const Status placed = steering->set_socket(wanted.listener, wanted.address.address.is_v4(), worker, socket.get());
  if (!placed) return placed.error();
  return socket;
}

Status check_addresses(const config::Config& config) {
  for (const config::Listener& listener : config.listeners) {
    for (const Endpoint& address : listener.addresses) {
      if (const auto socket = make_listener_socket({listener.name, "", false, address}, config, 0, nullptr); !socket) return socket.error();
    }
  }
  return {};
}

}  // namespace gatehouse::l7
