// The flow hash once more, word by word from its definition (bpf/hash.h) and on the packet's own bytes: what
// tests expect of the packet core does not come from the packet core. Keys are the site secret's four words;
// addresses and ports are as they stand in the packet.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "common/address.h"

namespace gatehouse::test {

using SiteKey = std::array<std::uint64_t, 4>;

struct PlainFlow {
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint8_t protocol = 0;
};

class PlainFlowHash {
 public:
  explicit PlainFlowHash(const SiteKey& secret) {
    for (std::uint64_t i = 0; i < key_.size(); ++i) {
      std::uint64_t word = secret[i % 4] + (i + 1) * 0x9e3779b97f4a7c15;
      word = mix(word, secret[(i + 1) % 4]) ^ secret[(i + 2) % 4];
      key_[i] = mix(mix(word, 0xbf58476d1ce4e5b9), secret[(i + 3) % 4]);
    }
  }

  // Addresses, ports and protocol.
  std::uint64_t of_flow(const PlainFlow& flow) const {
    return of(flow, flow.destination, {ports_word(flow), flow.protocol});
  }
  std::uint64_t of_addresses(const PlainFlow& flow) const { return of(flow, flow.destination, {0, 0}); }
  std::uint64_t of_source(const PlainFlow& flow) const {
    IpAddress none;
    none.bytes = {};
    return of(flow, none, {0, 0});
  }

 private:
  static std::uint64_t mix(std::uint64_t value, std::uint64_t multiplier) {
    value *= multiplier | 1;
    return value ^ value >> 32;
  }
  static std::uint32_t word(const IpAddress& address, std::size_t index) {
    std::uint32_t value = 0;
    for (std::size_t byte = 4; byte-- > 0;) value = value << 8 | address.bytes[4 * index + byte];
    return value;
  }
  static std::uint32_t swapped(std::uint16_t value) {
    return static_cast<std::uint16_t>(value << 8 | value >> 8);
  }
  static std::uint32_t ports_word(const PlainFlow& flow) {
    return swapped(flow.source_port) | swapped(flow.destination_port) << 16;
  }

  std::uint64_t of(const PlainFlow& flow, const IpAddress& destination,
                   std::array<std::uint32_t, 2> transport) const {
    std::uint64_t sum = key_[0] + (key_[1] + transport[0]) * (key_[2] + transport[1]);
    std::size_t next = 3;
    for (const std::size_t i : {3, 2, 0, 1}) {
      sum += (key_[next] + word(flow.source, i)) * (key_[next + 1] + word(destination, i));
      next += 2;
      if (flow.source.is_v4()) break;
    }
    return (sum ^ sum >> 32) * (key_[11] | 1);
  }

  std::array<std::uint64_t, 12> key_{};
};

}  // namespace gatehouse::test
