// A prefix as people say it and as a rule's key in the tables (bpf/abi_guard.h).
#pragma once

#include <bit>
#include <cstring>

#include "bpf/abi_guard.h"
#include "common/address.h"

namespace gatehouse::l4 {

// As people would say it of an IPv6 address: 0..128; IPv4 from 96 on.
inline unsigned length_of(const gh_prefix_key& key) {
  if (key.length == GH_DEFAULT_LENGTH) return 0;
  if (std::has_single_bit(key.length)) return 128 - static_cast<unsigned>(std::countr_zero(key.length));
  return 64 - static_cast<unsigned>(std::countr_one(key.length));
}

inline bool is_v4(const gh_prefix_key& key) {
  return key.prefix.high == 0 && key.prefix.low >> 32 == 0xffff && std::has_single_bit(key.length) &&
         length_of(key) >= 96;
}

inline gh_prefix_key key_of(const IpPrefix& prefix) {
  gh_prefix_key key{};
  std::memcpy(&key.prefix.high, prefix.address.bytes.data(), 8);
  std::memcpy(&key.prefix.low, prefix.address.bytes.data() + 8, 8);
  key.prefix = {__builtin_bswap64(key.prefix.high), __builtin_bswap64(key.prefix.low)};
  const unsigned length = prefix.length;
  if (length > 64) {
    key.length = gh_low_length(1ull << (128 - length));
  } else {
    key.length = length == 0 ? GH_DEFAULT_LENGTH : gh_high_length(1ull << (64 - length));
  }
  return key;
}

inline IpPrefix prefix_of(const gh_prefix_key& key) {
  const std::uint64_t words[2] = {__builtin_bswap64(key.prefix.high), __builtin_bswap64(key.prefix.low)};
  IpAddress address;
  std::memcpy(address.bytes.data(), words, sizeof words);
  return {address, static_cast<std::uint8_t>(length_of(key))};
}

}  // namespace gatehouse::l4
