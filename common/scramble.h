// splitmix64 (Steele et al., 2014): a number of any quality becomes one whose bits are independent of each
// other and of those of its neighbours. Not secret: what clients must not aim at is hashed with the site's
// key (bpf/hash.h).
#pragma once

#include <cstdint>

namespace gatehouse {

constexpr std::uint64_t scramble(std::uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

}  // namespace gatehouse
