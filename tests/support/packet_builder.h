// Builds packets layer by layer, outermost first, for tests and benchmarks:
//   PacketBuilder().ethernet().ipv4("203.0.113.7", "198.51.100.10").tcp(40000, 443,
//   kSyn).payload("x").build()
// Lengths, the name of the next layer and checksums are filled in by build(). What stands after a layer's
// call (ttl, options, without_checksum, ...) belongs to that layer. It writes bytes on its own and shares no
// struct with the packet core, so that a wrong struct there shows. Nothing can fail but a bad address, which
// aborts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/hex.h"

namespace gatehouse::test {

using Bytes = std::vector<std::uint8_t>;
using Mac = std::array<std::uint8_t, 6>;

inline constexpr Mac kHostMac = {0x02, 0, 0, 0, 0, 0x01};
inline constexpr Mac kRouterMac = {0x02, 0, 0, 0, 0, 0xfe};
inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kReset = 0x04, kAck = 0x10;

Bytes from_hex(std::string_view text);  // "02 00 ff": spaces are ignored

// The Internet checksum (RFC 1071) of `bytes`, in host order.
std::uint16_t internet_checksum(const Bytes& bytes);

class PacketBuilder {
 public:
  PacketBuilder& ethernet(const Mac& destination = kHostMac, const Mac& source = kRouterMac);
  PacketBuilder& vlan(std::uint16_t id, std::uint16_t tag_type = 0x8100);
  PacketBuilder& ipv4(std::string_view source, std::string_view destination);
  PacketBuilder& ipv6(std::string_view source, std::string_view destination);  // also "::ffff:192.0.2.1"
  PacketBuilder& extension(std::uint8_t protocol,
                           const Bytes& body);  // IPv6: `body` follows the next-header byte
  PacketBuilder& tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags = kAck);
  PacketBuilder& udp(std::uint16_t source, std::uint16_t destination);
  PacketBuilder& icmp(std::uint8_t type, std::uint8_t code);  // ICMPv6 inside IPv6
  PacketBuilder& gue(std::uint16_t epoch, const std::vector<std::uint16_t>& hops = {});
  PacketBuilder& plain_gue();  // without the private field
  PacketBuilder& packet(const Bytes& ip_packet);  // a finished IP packet, named by its version
  PacketBuilder& payload(std::string_view text);
  PacketBuilder& payload(std::size_t length);  // counting bytes
  PacketBuilder& payload(const Bytes& bytes);

  // Of the layer added last.
  PacketBuilder& traffic_class(std::uint8_t value);
  PacketBuilder& flow_label(std::uint32_t value);
  PacketBuilder& ttl(std::uint8_t value);
  PacketBuilder& rest(std::uint32_t value);  // ICMP: the four bytes behind the checksum
  PacketBuilder& dont_fragment();
  PacketBuilder& fragment(std::uint16_t offset_bytes, bool has_more);
  PacketBuilder& options(const Bytes& bytes);  // IPv4 and TCP; a multiple of four bytes
  PacketBuilder& next(std::uint16_t number);   // ethertype or protocol, instead of the next layer's own
  PacketBuilder& length(std::uint16_t value);  // IP: of the field, instead of what is there
  PacketBuilder& without_checksum();

  Bytes build() const;

 private:
  enum class Kind { kEthernet, kVlan, kIpv4, kIpv6, kExtension, kTcp, kUdp, kIcmp, kGue, kBody };
  struct Layer {
    Kind kind = Kind::kBody;
    Bytes header;
    std::uint16_t ether_type = 0;  // how a link layer names it
    std::uint8_t protocol = 0;     // how an IP layer names it
    std::optional<std::uint16_t> next;
    std::optional<std::uint16_t> length;
    bool has_checksum = true;
    IpAddress source;  // of an IP layer
    IpAddress destination;
  };

  PacketBuilder& add(Kind kind, Bytes header, std::uint16_t ether_type, std::uint8_t protocol);
  PacketBuilder& add_ip(Layer layer, std::string_view source, std::string_view destination);
  Layer& last();
  const Layer* enclosing_ip(std::size_t index) const;
  std::uint8_t protocol_of(std::size_t index) const;
  std::uint16_t next_of(std::size_t index) const;
  void finish(std::size_t index, Bytes& packet) const;
  void finish_transport(std::size_t index, Bytes& packet, std::size_t checksum_at) const;

  std::vector<Layer> layers_;
};

}  // namespace gatehouse::test
