#include "tests/support/byte_pattern.h"

#include <algorithm>
#include <array>

namespace gatehouse::test {
namespace {

constexpr std::size_t kPeriod = 65'521;  // a prime
constexpr std::size_t kContiguous = 256 * 1024;

using Table = std::array<char, kPeriod + kContiguous>;

const Table& table() {
  static const Table bytes = [] {
    Table filled;
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < kPeriod; ++i) {
      state = state * 1'664'525 + 1'013'904'223;
      filled[i] = static_cast<char>(state >> 24);
    }
    for (std::size_t i = kPeriod; i < filled.size(); ++i) filled[i] = filled[i - kPeriod];
    return filled;
  }();
  return bytes;
}

}  // namespace

std::string_view pattern_at(std::uint64_t offset, std::uint64_t longest) {
  return {table().data() + offset % kPeriod, std::min<std::uint64_t>(longest, kContiguous)};
}

bool matches_pattern(std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view expected = pattern_at(offset, bytes.size());
    if (bytes.substr(0, expected.size()) != expected) return false;
    offset += expected.size();
    bytes.remove_prefix(expected.size());
  }
  return true;
}

}  // namespace gatehouse::test
