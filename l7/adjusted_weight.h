// A weight that was set at run time, as the board keeps it: together with the config's weight that it was set
// over. It holds beside that one, and ends by itself beside another.
#pragma once

#include <cstdint>

namespace gatehouse::l7 {

// 0 stands for none.
constexpr std::uint64_t pack_adjusted(std::uint32_t weight, std::uint32_t base) {
  return std::uint64_t{1} << 63 | std::uint64_t{base} << 32 | weight;
}

constexpr bool is_adjusted(std::uint64_t adjusted, std::uint32_t base) {
  return adjusted != 0 && pack_adjusted(static_cast<std::uint32_t>(adjusted), base) == adjusted;
}

// What holds now beside a config's weight of `base`.
constexpr std::uint32_t weight_now(std::uint64_t adjusted, std::uint32_t base) {
  return is_adjusted(adjusted, base) ? static_cast<std::uint32_t>(adjusted) : base;
}

}  // namespace gatehouse::l7
