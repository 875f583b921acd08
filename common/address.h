// IP addresses and endpoints, both families. Plain values: no ownership, no allocation.
#pragma once

#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

// Sixteen bytes in network order; an IPv4 address is held as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2), which is also the
// form of the packet core's tables.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  // "192.0.2.1" or "2001:db8::1". No zone, no brackets.
  static std::optional<IpAddress> parse(std::string_view text);
  static IpAddress from_v4(const std::uint8_t (&octets)[4]);

  bool is_v4() const;
  bool is_unspecified() const;  // 0.0.0.0 or ::
  auto operator<=>(const IpAddress&) const = default;
};

std::string to_string(const IpAddress& address);

// All addresses that begin with the same `length` bits (of the sixteen bytes: 96 more than written for IPv4).
struct IpPrefix {
  IpAddress address;  // its other bits are 0
  std::uint8_t length = 128;

  // "10.0.0.0/8", "2001:db8::/32", or one address alone. No bits beyond the length.
  static std::optional<IpPrefix> parse(std::string_view text);
  bool contains(const IpAddress& other) const;
  auto operator<=>(const IpPrefix&) const = default;
};

std::string to_string(const IpPrefix& prefix);

// An address and a TCP or UDP port (host order).
struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;

  // "192.0.2.1:443" or "[2001:db8::1]:443".
  static std::optional<Endpoint> parse(std::string_view text);
  static Endpoint from_sockaddr(const sockaddr_storage& storage);

  auto operator<=>(const Endpoint&) const = default;
};

std::string to_string(const Endpoint& endpoint);

// Writes `endpoint` as AF_INET or AF_INET6 into `storage`; returns the length to pass to the kernel.
socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& storage);

}  // namespace gatehouse
