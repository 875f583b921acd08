#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace gatehouse {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

IpAddress IpAddress::from_v4(const std::uint8_t (&octets)[4]) {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  std::copy(octets, octets + 4, address.bytes.begin() + 12);
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char terminated[INET6_ADDRSTRLEN];
  if (text.empty() || text.size() >= sizeof terminated || text.find('\0') != text.npos) return std::nullopt;
  std::memcpy(terminated, text.data(), text.size());
  terminated[text.size()] = '\0';
  std::uint8_t octets[4];
  if (inet_pton(AF_INET, terminated, octets) == 1) return from_v4(octets);
  IpAddress address;
  if (inet_pton(AF_INET6, terminated, address.bytes.data()) == 1) return address;
  return std::nullopt;
}

bool IpAddress::is_v4() const { return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin()); }

bool IpAddress::is_unspecified() const {
  const auto begin = is_v4() ? bytes.begin() + 12 : bytes.begin();
  return std::all_of(begin, bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

std::string to_string(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN];
  const bool v4 = address.is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, address.bytes.data() + (v4 ? 12 : 0), text, sizeof text);
  return text;
}

namespace {

constexpr int kMappedBits = 8 * kMappedPrefix.size();

// The bits of byte `index` that belong to a prefix of `length` bits.
std::uint8_t prefix_mask(std::size_t index, int length) {
  const int bits = std::clamp(length - static_cast<int>(8 * index), 0, 8);
  return static_cast<std::uint8_t>(0xff00 >> bits);
}

}  // namespace

std::optional<IpPrefix> IpPrefix::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  IpPrefix prefix{*address};
  if (slash == std::string_view::npos) return prefix;
  const std::string_view digits = text.substr(slash + 1);
  const int least = address->is_v4() ? kMappedBits : 0;
  int length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size() && digits[0] != '-';
  if (!is_number || least + length > 128) return std::nullopt;
  prefix.length = static_cast<std::uint8_t>(least + length);
  for (std::size_t i = 0; i < address->bytes.size(); ++i) {
    if (address->bytes[i] & ~prefix_mask(i, prefix.length)) return std::nullopt;
  }
  return prefix;
}

bool IpPrefix::contains(const IpAddress& other) const {
  for (std::size_t i = 0; i < address.bytes.size(); ++i) {
    if ((other.bytes[i] ^ address.bytes[i]) & prefix_mask(i, length)) return false;
  }
  return true;
}

std::string to_string(const IpPrefix& prefix) {
  if (prefix.length == 128) return to_string(prefix.address);
  return to_string(prefix.address) + "/" + std::to_string(prefix.length - (prefix.address.is_v4() ? kMappedBits : 0));
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || bracketed == address->is_v4() || (!bracketed && host.find(':') != host.npos)) return std::nullopt;
  Endpoint endpoint{*address, 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
  if (error != std::errc() || digits.empty() || end != digits.data() + digits.size()) return std::nullopt;
  return endpoint;
}

Endpoint Endpoint::from_sockaddr(const sockaddr_storage& storage) {
  Endpoint endpoint;
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    std::uint8_t octets[4];
    std::memcpy(octets, &v4.sin_addr, sizeof octets);
    endpoint.address = IpAddress::from_v4(octets);
    endpoint.port = ntohs(v4.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    std::memcpy(endpoint.address.bytes.data(), &v6.sin6_addr, endpoint.address.bytes.size());
    endpoint.port = ntohs(v6.sin6_port);
  }
  return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
  const std::string address = to_string(endpoint.address);
  const std::string port = std::to_string(endpoint.port);
  return endpoint.address.is_v4() ? address + ":" + port : "[" + address + "]:" + port;
}

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& storage) {
  std::memset(&storage, 0, sizeof storage);
  if (endpoint.address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes.data() + 12, 4);
    return sizeof v4;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), endpoint.address.bytes.size());
  return sizeof v6;
}

}  // namespace gatehouse
