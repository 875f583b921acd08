// A log-linear histogram: each power of two is cut into eight equal parts, so that a value is known to an
// eighth of itself, whatever its size. Histograms are counts alone: they merge by addition, over workers,
// hosts and time.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace gatehouse {

class Histogram {
 public:
  static constexpr unsigned kFineBits = 3;
  static constexpr unsigned kMostBits = 32;  // greater values count as the greatest
  static constexpr std::size_t kBuckets = (kMostBits - kFineBits + 1) << kFineBits;
  using Counts = std::array<std::uint64_t, kBuckets>;

  static constexpr std::size_t bucket_of(std::uint64_t value) {
    value = std::min<std::uint64_t>(value, (std::uint64_t{1} << kMostBits) - 1);
    if (value < 1u << kFineBits) return static_cast<std::size_t>(value);
    const auto power = static_cast<unsigned>(std::bit_width(value)) - 1;
    const std::uint64_t fine = value >> (power - kFineBits) & ((1u << kFineBits) - 1);
    return ((power - kFineBits + 1) << kFineBits) + static_cast<std::size_t>(fine);
  }
  // The least value of a bucket; of kBuckets: one more than the greatest value of the last.
  static constexpr std::uint64_t least_of(std::size_t bucket) {
    if (bucket < 1u << kFineBits) return bucket;
    const std::size_t power = (bucket >> kFineBits) + kFineBits - 1, fine = bucket & ((1u << kFineBits) - 1);
    return ((std::uint64_t{1} << kFineBits) + fine) << (power - kFineBits);
  }

  // The value that a share `rank` (0 to 1) of all counted values does not exceed; those of a bucket are taken
  // to lie evenly in it. 0: nothing was counted.
  static double quantile(const Counts& counts, double rank);
  // How many values are below `limit`, the least one of a bucket.
  static std::uint64_t below(const Counts& counts, std::uint64_t limit);
};

}  // namespace gatehouse
