#include "l7/request_id.h"

#include <sys/random.h>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

// Two digits per byte, from a table: this runs once per request.
struct HexTable {
  consteval HexTable() {
    for (int i = 0; i < 256; ++i) {
      digits[i][0] = "0123456789abcdef"[i >> 4];
      digits[i][1] = "0123456789abcdef"[i & 15];
    }
  }
  char digits[256][2] = {};
};
constexpr HexTable kHex;

}  // namespace

RequestIds::RequestIds() { GH_CHECK(getrandom(state_, sizeof state_, 0) == sizeof state_); }

// xoroshiro128+ (Blackman and Vigna, 2018).
std::uint64_t RequestIds::next_word() {
  const std::uint64_t first = state_[0];
  std::uint64_t second = state_[1];
  const std::uint64_t result = first + second;
  second ^= first;
  state_[0] = (first << 24 | first >> 40) ^ second ^ (second << 16);
  state_[1] = second << 37 | second >> 27;
  return result;
}

RequestId RequestIds::next() {
  RequestId id;
  std::size_t place = 0;
  for (int word = 0; word < 2; ++word) {
    std::uint64_t bits = next_word();
    for (int i = 0; i < 8; ++i, bits >>= 8, place += 2) {
      id.text[place] = kHex.digits[bits & 255][0];
      id.text[place + 1] = kHex.digits[bits & 255][1];
    }
  }
  return id;
}

}  // namespace gatehouse::l7
