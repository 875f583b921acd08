// Eight characters at a time.
#include "common/token.h"

#include <cstdint>
#include <cstring>

namespace gatehouse {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

// Eight characters, the letters among them in lower case. Each byte is looked at in its low seven bits: adding to those
// carries into the eighth bit, never into the next byte.
std::uint64_t lower_eight(const char* text) {
  constexpr std::uint64_t kEach = 0x0101010101010101;
  std::uint64_t bytes;
  std::memcpy(&bytes, text, sizeof bytes);
  const std::uint64_t low = bytes & 0x7f * kEach;
  const std::uint64_t from_a = low + (0x80 - 'A') * kEach;
  const std::uint64_t past_z = low + (0x80 - 'Z' - 1) * kEach;
  const std::uint64_t is_upper = from_a & ~past_z & ~bytes & 0x80 * kEach;
  return bytes | is_upper >> 2;
}

}  // namespace

bool equal_in_lower_case(const char* left, const char* right, std::size_t size) {
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if (lower(left[i]) != lower(right[i])) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if (lower_eight(left + i) != lower_eight(right + i)) return false;
  }
  return lower_eight(left + size - 8) == lower_eight(right + size - 8);
}

}  // namespace gatehouse
