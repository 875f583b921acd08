#include "l7/backend/dial.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

namespace gatehouse::l7 {
namespace {

bool bind_to(int socket, const IpAddress& source) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr({source, 0}, storage);
  return ::bind(socket, reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

// UDP's, so that a worker may ask too, whose sandbox has no netlink.
bool is_own(const IpAddress& address) {
  const Fd socket(::socket(address.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return socket.is_open() && bind_to(socket.get(), address);
}

}  // namespace

Result<SourceAddresses> find_sources(const config::Pool& pool) {
  SourceAddresses found;
  std::string missing_v4, missing_v6;
  for (const IpAddress& address : pool.source_addresses) {
    std::optional<IpAddress>& place = address.is_v4() ? found.v4 : found.v6;
    std::string& missing = address.is_v4() ? missing_v4 : missing_v6;
    if (place) continue;
    if (is_own(address)) {
      place = address;
    } else {
      missing += (missing.empty() ? "" : ", ") + to_string(address);
    }
  }
  for (const auto& [place, missing] : {std::pair(found.v4, missing_v4), std::pair(found.v6, missing_v6)}) {
    if (place || missing.empty()) continue;
    return Error{"[[pool]] \"" + pool.name + "\" source_addresses: expected an address of this host, found " +
                 missing};
  }
  return found;
}

Status check_sources(const config::Config& config) {
  for (const config::Pool& pool : config.pools) {
    if (const auto found = find_sources(pool); !found) return found.error();
  }
  return {};
}

Fd dial(const Endpoint& target, const SourceAddresses& sources) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(target, storage);
  Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {};
  const int on = 1;
  setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (const auto& source = sources.towards(target.address)) {
    // The port is chosen by connect(), for the whole four: else there were no more connections than ports, to
    // all backends together.
    setsockopt(socket.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (!bind_to(socket.get(), *source)) return {};
  }
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) != 0 &&
      errno != EINPROGRESS)
    return {};
  return socket;
}

}  // namespace gatehouse::l7
