// Headers are kept as bytes with holes; build() goes from the innermost layer outwards and fills them.
#include "tests/support/packet_builder.h"

#include <algorithm>
#include <cctype>

#include "common/check.h"

namespace gatehouse::test {
namespace {

constexpr std::uint8_t kIcmpProtocol = 1, kTcpProtocol = 6, kUdpProtocol = 17, kIcmpV6Protocol = 58;

void put16(Bytes& bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<std::uint8_t>(value);
}

void append16(Bytes& bytes, std::uint16_t value) {
  bytes.resize(bytes.size() + 2);
  put16(bytes, bytes.size() - 2, value);
}

void append(Bytes& bytes, const auto& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }

// RFC 9293 §3.1 and RFC 8200 §8.1.
Bytes pseudo_header(const IpAddress& source, const IpAddress& destination, bool is_v4, std::uint8_t protocol,
                    std::size_t length) {
  const std::size_t skip = is_v4 ? 12 : 0;
  Bytes bytes(source.bytes.begin() + skip, source.bytes.end());
  bytes.insert(bytes.end(), destination.bytes.begin() + skip, destination.bytes.end());
  append16(bytes, static_cast<std::uint16_t>(length >> 16));
  append16(bytes, static_cast<std::uint16_t>(length));
  append16(bytes, 0);
  append16(bytes, protocol);
  return bytes;
}

}  // namespace

Bytes from_hex(std::string_view text) {
  Bytes bytes;
  int high = -1;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c))) continue;
    const int digit = hex_value(c);
    GH_CHECK(digit >= 0);
    if (high >= 0) bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
    high = high >= 0 ? -1 : digit;
  }
  GH_CHECK(high < 0);
  return bytes;
}

std::uint16_t internet_checksum(const Bytes& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? bytes[i] << 8 : bytes[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

PacketBuilder& PacketBuilder::add(Kind kind, Bytes header, std::uint16_t ether_type, std::uint8_t protocol) {
  Layer layer;
  layer.kind = kind;
  layer.header = std::move(header);
  layer.ether_type = ether_type;
  layer.protocol = protocol;
  layers_.push_back(std::move(layer));
  return *this;
}

PacketBuilder& PacketBuilder::add_ip(Layer layer, std::string_view source, std::string_view destination) {
  const auto from = IpAddress::parse(source), to = IpAddress::parse(destination);
  const bool is_v4 = layer.kind == Kind::kIpv4;
  const auto is_v4_text = [](std::string_view text) { return text.find(':') == text.npos; };
  GH_CHECK(from && to && is_v4_text(source) == is_v4 && is_v4_text(destination) == is_v4);
  layer.source = *from;
  layer.destination = *to;
  for (const IpAddress& address : {*from, *to}) {
    layer.header.insert(layer.header.end(), address.bytes.begin() + (is_v4 ? 12 : 0), address.bytes.end());
  }
  layers_.push_back(std::move(layer));
  return *this;
}

PacketBuilder::Layer& PacketBuilder::last() {
  GH_CHECK(!layers_.empty());
  return layers_.back();
}

PacketBuilder& PacketBuilder::ethernet(const Mac& destination, const Mac& source) {
  Bytes header(destination.begin(), destination.end());
  append(header, source);
  append16(header, 0);
  return add(Kind::kEthernet, std::move(header), 0, 0);
}

PacketBuilder& PacketBuilder::vlan(std::uint16_t id, std::uint16_t tag_type) {
  Bytes header;
  append16(header, id);
  append16(header, 0);
  return add(Kind::kVlan, std::move(header), tag_type, 0);
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
  Layer layer;
  layer.kind = Kind::kIpv4;
  layer.header = {0x45, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0, 0};
  layer.ether_type = 0x0800;
  layer.protocol = 4;
  return add_ip(std::move(layer), source, destination);
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
  Layer layer;
  layer.kind = Kind::kIpv6;
  layer.header = {0x60, 0, 0, 0, 0, 0, 0, 64};
  layer.ether_type = 0x86dd;
  layer.protocol = 41;
  return add_ip(std::move(layer), source, destination);
}

PacketBuilder& PacketBuilder::extension(std::uint8_t protocol, const Bytes& body) {
  Bytes header = {0};
  append(header, body);
  return add(Kind::kExtension, std::move(header), 0, protocol);
}

PacketBuilder& PacketBuilder::tcp(std::uint16_t source, std::uint16_t destination, std::uint8_t flags) {
  Bytes header;
  append16(header, source);
  append16(header, destination);
  append(header, Bytes{0x10, 0x20, 0x30, 0x40, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0});
  return add(Kind::kTcp, std::move(header), 0, kTcpProtocol);
}

PacketBuilder& PacketBuilder::udp(std::uint16_t source, std::uint16_t destination) {
  Bytes header;
  append16(header, source);
  append16(header, destination);
  header.resize(8);
  return add(Kind::kUdp, std::move(header), 0, kUdpProtocol);
}

PacketBuilder& PacketBuilder::icmp(std::uint8_t type, std::uint8_t code) {
  return add(Kind::kIcmp, {type, code, 0, 0, 0, 0, 0, 0}, 0, kIcmpProtocol);
}

PacketBuilder& PacketBuilder::gue(std::uint16_t epoch, const std::vector<std::uint16_t>& hops) {
  GH_CHECK(hops.size() <= 3);
  Bytes header = {0x02, 0, 0, 0};
  append16(header, epoch);
  for (const std::uint16_t hop : hops) append16(header, hop);
  header.resize(12);
  return add(Kind::kGue, std::move(header), 0, 0);
}

PacketBuilder& PacketBuilder::plain_gue() { return add(Kind::kGue, {0, 0, 0, 0}, 0, 0); }

PacketBuilder& PacketBuilder::packet(const Bytes& ip_packet) {
  const bool is_v6 = !ip_packet.empty() && ip_packet[0] >> 4 == 6;
  return add(Kind::kBody, ip_packet, is_v6 ? 0x86dd : 0x0800, is_v6 ? 41 : 4);
}

PacketBuilder& PacketBuilder::payload(std::string_view text) {
  return payload(Bytes(text.begin(), text.end()));
}

PacketBuilder& PacketBuilder::payload(std::size_t length) {
  Bytes bytes(length);
  for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return payload(bytes);
}

PacketBuilder& PacketBuilder::payload(const Bytes& bytes) { return add(Kind::kBody, bytes, 0, 0); }

PacketBuilder& PacketBuilder::traffic_class(std::uint8_t value) {
  Bytes& header = last().header;
  if (last().kind == Kind::kIpv4) {
    header[1] = value;
  } else {
    header[0] = static_cast<std::uint8_t>(0x60 | value >> 4);
    header[1] = static_cast<std::uint8_t>((header[1] & 0x0f) | value << 4);
  }
  return *this;
}

PacketBuilder& PacketBuilder::flow_label(std::uint32_t value) {
  Bytes& header = last().header;
  header[1] = static_cast<std::uint8_t>((header[1] & 0xf0) | value >> 16);
  put16(header, 2, static_cast<std::uint16_t>(value));
  return *this;
}

PacketBuilder& PacketBuilder::rest(std::uint32_t value) {
  put16(last().header, 4, static_cast<std::uint16_t>(value >> 16));
  put16(last().header, 6, static_cast<std::uint16_t>(value));
  return *this;
}

PacketBuilder& PacketBuilder::ttl(std::uint8_t value) {
  last().header[last().kind == Kind::kIpv4 ? 8 : 7] = value;
  return *this;
}

PacketBuilder& PacketBuilder::dont_fragment() {
  last().header[6] |= 0x40;
  return *this;
}

PacketBuilder& PacketBuilder::fragment(std::uint16_t offset_bytes, bool has_more) {
  put16(last().header, 6, static_cast<std::uint16_t>(offset_bytes / 8 | (has_more ? 0x2000 : 0)));
  return *this;
}

PacketBuilder& PacketBuilder::options(const Bytes& bytes) {
  Bytes& header = last().header;
  GH_CHECK(bytes.size() % 4 == 0);
  append(header, bytes);
  const auto words = static_cast<std::uint8_t>(header.size() / 4);
  if (last().kind == Kind::kIpv4)
    header[0] = static_cast<std::uint8_t>(0x40 | words);
  else
    header[12] = static_cast<std::uint8_t>(words << 4);
  return *this;
}

PacketBuilder& PacketBuilder::next(std::uint16_t number) {
  last().next = number;
  return *this;
}

PacketBuilder& PacketBuilder::length(std::uint16_t value) {
  last().length = value;
  return *this;
}

PacketBuilder& PacketBuilder::without_checksum() {
  last().has_checksum = false;
  return *this;
}

const PacketBuilder::Layer* PacketBuilder::enclosing_ip(std::size_t index) const {
  while (index-- > 0) {
    if (layers_[index].kind == Kind::kIpv4 || layers_[index].kind == Kind::kIpv6) return &layers_[index];
  }
  return nullptr;
}

std::uint8_t PacketBuilder::protocol_of(std::size_t index) const {
  const Layer& layer = layers_[index];
  if (layer.kind != Kind::kIcmp) return layer.protocol;
  const Layer* ip = enclosing_ip(index);
  return ip && ip->kind == Kind::kIpv6 ? kIcmpV6Protocol : kIcmpProtocol;
}

std::uint16_t PacketBuilder::next_of(std::size_t index) const {
  const Layer& layer = layers_[index];
  if (layer.next) return *layer.next;
  if (index + 1 == layers_.size()) return layer.kind == Kind::kIpv6 ? 59 : 0;  // 59: no next header
  const bool is_link = layer.kind == Kind::kEthernet || layer.kind == Kind::kVlan;
  return is_link ? layers_[index + 1].ether_type : protocol_of(index + 1);
}

// `packet` is this layer's header with all that is inside of it.
void PacketBuilder::finish_transport(std::size_t index, Bytes& packet, std::size_t checksum_at) const {
  const Layer* ip = enclosing_ip(index);
  if (!ip || !layers_[index].has_checksum) return;
  const bool is_v4 = ip->kind == Kind::kIpv4;
  const std::uint8_t protocol = protocol_of(index);
  Bytes covered;
  if (protocol != kIcmpProtocol)
    covered = pseudo_header(ip->source, ip->destination, is_v4, protocol, packet.size());
  append(covered, packet);
  const std::uint16_t sum = internet_checksum(covered);
  put16(packet, checksum_at, sum == 0 && protocol == kUdpProtocol ? 0xffff : sum);
}

void PacketBuilder::finish(std::size_t index, Bytes& packet) const {
  const Layer& layer = layers_[index];
  const std::uint16_t next = next_of(index);
  const auto length = static_cast<std::uint16_t>(packet.size());
  const auto next_protocol = static_cast<std::uint8_t>(next);
  switch (layer.kind) {
    case Kind::kEthernet:
      return put16(packet, 12, next);
    case Kind::kVlan:
      return put16(packet, 2, next);
    case Kind::kIpv4:
      put16(packet, 2, layer.length.value_or(length));
      packet[9] = next_protocol;
      if (!layer.has_checksum) return;
      return put16(packet, 10, internet_checksum({packet.begin(), packet.begin() + (packet[0] & 15) * 4}));
    case Kind::kIpv6:
      put16(packet, 4, layer.length.value_or(static_cast<std::uint16_t>(length - 40)));
      packet[6] = next_protocol;
      return;
    case Kind::kExtension:
      packet[0] = next_protocol;
      return;
    case Kind::kGue:
      packet[1] = next_protocol;
      return;
    case Kind::kTcp:
      return finish_transport(index, packet, 16);
    case Kind::kUdp:
      put16(packet, 4, length);
      return finish_transport(index, packet, 6);
    case Kind::kIcmp:
      return finish_transport(index, packet, 2);
    case Kind::kBody:
      return;
  }
}

Bytes PacketBuilder::build() const {
  Bytes packet;
  for (std::size_t index = layers_.size(); index-- > 0;) {
    packet.insert(packet.begin(), layers_[index].header.begin(), layers_[index].header.end());
    finish(index, packet);
  }
  return packet;
}

}  // namespace gatehouse::test
