// The log-linear histogram: which bucket a value is in, and what quantiles are made of it.
#include "common/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace gatehouse {
namespace {

TEST(Histogram, EveryValueIsInTheBucketWhoseBoundsHoldIt) {
  for (std::uint64_t value : {0ull, 1ull, 7ull, 8ull, 9ull, 15ull, 16ull, 17ull, 18ull, 255ull, 256ull,
                              287ull, 288ull, 1'000'000ull, 0xffff'ffffull}) {
    const std::size_t bucket = Histogram::bucket_of(value);
    ASSERT_LT(bucket, Histogram::kBuckets) << value;
    EXPECT_LE(Histogram::least_of(bucket), value);
    EXPECT_GT(Histogram::least_of(bucket + 1), value);
  }
  for (std::size_t bucket = 0; bucket < Histogram::kBuckets; ++bucket) {
    EXPECT_EQ(Histogram::bucket_of(Histogram::least_of(bucket)), bucket);
    const double width = static_cast<double>(Histogram::least_of(bucket + 1) - Histogram::least_of(bucket));
    EXPECT_LE(width, std::max(1.0, static_cast<double>(Histogram::least_of(bucket)) / 8));
  }
  EXPECT_EQ(Histogram::bucket_of(~0ull), Histogram::kBuckets - 1);
}

TEST(Histogram, QuantilesAreThoseOfTheValuesToAnEighth) {
  std::mt19937_64 random(7);
  std::vector<std::uint64_t> values;
  Histogram::Counts counts{}, first{}, second{};
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random() >> (40 + random() % 20);
    values.push_back(value);
    ++counts[Histogram::bucket_of(value)];
    ++(i % 3 ? first : second)[Histogram::bucket_of(value)];
  }
  std::sort(values.begin(), values.end());
  for (const double rank : {0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999}) {
    const auto exact = static_cast<double>(values[static_cast<std::size_t>(rank * 20'000)]);
    EXPECT_NEAR(Histogram::quantile(counts, rank), exact, exact / 8 + 1) << rank;
  }
  for (std::size_t i = 0; i < counts.size(); ++i) first[i] += second[i];
  EXPECT_EQ(first, counts) << "histograms merge by addition";
  const auto below =
      static_cast<std::uint64_t>(std::lower_bound(values.begin(), values.end(), 1u << 12) - values.begin());
  EXPECT_EQ(Histogram::below(counts, 1u << 12), below);
}

TEST(Histogram, OfNothingHasNoQuantile) { EXPECT_EQ(Histogram::quantile({}, 0.5), 0); }

}  // namespace
}  // namespace gatehouse
