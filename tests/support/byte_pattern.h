// The bytes that gatehouse-backend streams and gatehouse-load verifies: byte i of every body is byte i of one
// endless pattern. Its period is a prime, so that a lost, repeated or swapped block of any usual size does
// not go unseen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace gatehouse::test {

// A view of the pattern from `offset`: as long as is contiguous, at most `longest` bytes, never empty unless
// `longest` is 0. Valid for ever.
std::string_view pattern_at(std::uint64_t offset, std::uint64_t longest);

// True when `bytes` are what stands at `offset`.
bool matches_pattern(std::uint64_t offset, std::string_view bytes);

}  // namespace gatehouse::test
