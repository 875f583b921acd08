#include "l7/arrival.h"

#include <sys/socket.h>

#include "l7/wire.h"

namespace gatehouse::l7 {
namespace {

Endpoint own_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  const bool is_known = getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) == 0;
  return is_known ? Endpoint::from_sockaddr(storage) : Endpoint();
}

}  // namespace

std::size_t write_proxy_header(ProxyVersion version, const Arrival& arrival, const Wire& client,
                               std::span<char, kMostProxyHeader> out) {
  const TlsDetails tls = client.tls();
  ProxyHeader header;
  header.names_client = true;
  header.source = arrival.client;
  const Introduction* said = arrival.introduction.get();
  header.destination = said && said->destination.port ? said->destination : own_address(client.fd());
  if (said) header.authority = said->server_name;
  if (!tls.server_name.empty()) header.authority = tls.server_name;
  header.alpn = tls.protocol;
  header.is_tls = !tls.version.empty();
  header.tls_version = tls.version;
  header.tls_cipher = tls.cipher;
  return write_proxy_header(version, header, out);
}

}  // namespace gatehouse::l7
