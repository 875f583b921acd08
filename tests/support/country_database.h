// Writes small databases in MaxMind's format (MaxMind DB File Format Specification 2.0): a binary search tree
// over the bits of addresses, records of 24 bits, a data section and the metadata.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/address.h"

namespace gatehouse::test {

class CountryDatabase {
 public:
  // IPv4 prefixes stand at ::/96.
  CountryDatabase& add(const std::string& prefix, const std::string& country) {
    const IpPrefix parsed = *IpPrefix::parse(prefix);
    std::array<std::uint8_t, 16> bytes = parsed.address.bytes;
    if (parsed.address.is_v4()) bytes[10] = bytes[11] = 0;
    std::size_t node = 0;
    for (unsigned bit = 0; bit + 1 < parsed.length; ++bit) node = child(node, bit_of(bytes, bit));
    nodes_[node].record[bit_of(bytes, parsed.length - 1u)] = {Record::kData, place_of(country)};
    return *this;
  }
  // IPv4 again, under ::ffff:0:0/96, as real databases have it.
  CountryDatabase& alias_v4() {
    std::size_t v4 = 0, node = 0;
    for (unsigned bit = 0; bit < 96; ++bit) v4 = child(v4, 0);
    for (unsigned bit = 0; bit < 95; ++bit) node = child(node, bit >= 80);
    nodes_[node].record[1] = {Record::kNode, v4};
    return *this;
  }
  // In place of {"country": {"iso_code": …}}.
  void set_key(const std::string& key) { key_ = key; }

  std::string bytes() const {
    std::string out;
    for (const Node& node : nodes_) {
      for (const Record& record : node.record) {
        const std::size_t value = record.kind == Record::kNode    ? record.value
                                  : record.kind == Record::kEmpty ? nodes_.size()
                                                                  : nodes_.size() + 16 + record.value;
        for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
      }
    }
    return out + std::string(16, '\0') + data_ + "\xab\xcd\xefMaxMind.com" + metadata();
  }

 private:
  struct Record {
    enum Kind { kEmpty, kNode, kData } kind = kEmpty;
    std::size_t value = 0;
  };
  struct Node {
    Record record[2];
  };

  static unsigned bit_of(const std::array<std::uint8_t, 16>& bytes, unsigned bit) {
    return bytes[bit / 8] >> (7 - bit % 8) & 1u;
  }
  std::size_t child(std::size_t node, unsigned side) {
    if (nodes_[node].record[side].kind == Record::kNode) return nodes_[node].record[side].value;
    nodes_[node].record[side] = {Record::kNode, nodes_.size()};
    nodes_.emplace_back();
    return nodes_.size() - 1;
  }
  std::size_t place_of(const std::string& country) {
    const auto [place, is_new] = places_.emplace(country, data_.size());
    if (is_new) data_ += map(1) + text(key_) + map(1) + text("iso_code") + text(country);
    return place->second;
  }

  // Control bytes: three bits of type, five of size (below 29).
  static std::string text(const std::string& value) {
    return static_cast<char>(2 << 5 | value.size()) + value;
  }
  static std::string map(std::size_t size) { return std::string(1, static_cast<char>(7 << 5 | size)); }
  static std::string number(unsigned type, std::uint64_t value, std::size_t size) {
    std::string out(1, static_cast<char>(type < 8 ? type << 5 | size : size));
    if (type >= 8) out += static_cast<char>(type - 7);
    for (std::size_t i = size; i > 0; --i) out += static_cast<char>(value >> 8 * (i - 1) & 0xff);
    return out;
  }
  std::string metadata() const {
    constexpr unsigned kUint16 = 5, kUint32 = 6, kUint64 = 9;
    const std::string empty_array{'\x00', '\x04'};
    return map(9) + text("node_count") + number(kUint32, nodes_.size(), 4) + text("record_size") +
           number(kUint16, 24, 2) + text("ip_version") + number(kUint16, 6, 2) + text("database_type") +
           text("Test-Country") + text("languages") + empty_array + text("binary_format_major_version") +
           number(kUint16, 2, 2) + text("binary_format_minor_version") + number(kUint16, 0, 2) +
           text("build_epoch") + number(kUint64, 1'700'000'000, 8) + text("description") + map(0);
  }

  std::vector<Node> nodes_{1};
  std::map<std::string, std::size_t> places_;
  std::string data_;
  std::string key_ = "country";
};

}  // namespace gatehouse::test
