#include "common/histogram.h"

#include <numeric>

namespace gatehouse {

double Histogram::quantile(const Counts& counts, double rank) {
  const std::uint64_t all = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  double wanted = rank * static_cast<double>(all);
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const auto count = static_cast<double>(counts[bucket]);
    if (count > 0 && wanted <= count) {
      const auto least = static_cast<double>(least_of(bucket)),
                 next = static_cast<double>(least_of(bucket + 1));
      return least + (next - least) * wanted / count;
    }
    wanted -= count;
  }
  return 0;
}

std::uint64_t Histogram::below(const Counts& counts, std::uint64_t limit) {
  return std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(bucket_of(limit)),
                         std::uint64_t{0});
}

}  // namespace gatehouse
