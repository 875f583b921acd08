// Durations and byte sizes: what parses, what does not, and that what is printed parses back.
#include "common/units.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

using namespace std::string_view_literals;

TEST(Units, DurationsAreANumberAndAUnit) {
  const std::pair<std::string_view, std::int64_t> rows[] = {
      {"0ms", 0},
      {"0s", 0},
      {"0h", 0},
      {"1ms", 1},
      {"250ms", 250},
      {"30s", 30'000},
      {"5m", 300'000},
      {"1h", 3'600'000},
      {"05s", 5'000},
      {"90m", 5'400'000},
      {"24000h", 86'400'000'000},
      {"86400000000ms", 86'400'000'000},
  };
  for (const auto& [text, milliseconds] : rows) {
    ASSERT_TRUE(parse_duration(text).has_value()) << text;
    EXPECT_EQ(parse_duration(text)->count(), milliseconds) << text;
  }
}

TEST(Units, WhatIsNoDurationIsRefused) {
  for (const std::string_view text : {""sv,
                                      "5"sv,
                                      "s"sv,
                                      "ms"sv,
                                      " 5s"sv,
                                      "5s "sv,
                                      "5 s"sv,
                                      "-5s"sv,
                                      "+5s"sv,
                                      "5S"sv,
                                      "5sec"sv,
                                      "5us"sv,
                                      "5d"sv,
                                      "1.5s"sv,
                                      "1,5s"sv,
                                      "1h30m"sv,
                                      "0x5s"sv,
                                      "5s\0"sv,
                                      "\0"
                                      "5s"sv,
                                      "5\0s"sv,
                                      "1e3s"sv,
                                      "five s"sv,
                                      "18446744073709551616ms"sv,
                                      "18446744073709551615h"sv,
                                      "5124095576030432h"sv,
                                      "24001h"sv,
                                      "86400000001ms"sv}) {
    EXPECT_FALSE(parse_duration(text).has_value()) << text;
  }
}

TEST(Units, SizesAreANumberAndAUnit) {
  const std::pair<std::string_view, std::uint64_t> rows[] = {
      {"0B", 0},
      {"512B", 512},
      {"1KiB", 1024},
      {"64KiB", 65'536},
      {"16MiB", 16 << 20},
      {"1GiB", 1ull << 30},
      {"1024GiB", 1ull << 40},
      {"18446744073709551615B", ~0ull},
      {"17179869183GiB", 17'179'869'183ull << 30},
  };
  for (const auto& [text, bytes] : rows) {
    ASSERT_TRUE(parse_byte_size(text).has_value()) << text;
    EXPECT_EQ(parse_byte_size(text)->bytes, bytes) << text;
  }
}

TEST(Units, WhatIsNoSizeIsRefused) {
  for (const std::string_view text : {""sv,
                                      "5"sv,
                                      "B"sv,
                                      "KiB"sv,
                                      " 5B"sv,
                                      "5B "sv,
                                      "5 B"sv,
                                      "-5B"sv,
                                      "+5B"sv,
                                      "5b"sv,
                                      "5KB"sv,
                                      "5kB"sv,
                                      "5K"sv,
                                      "5kib"sv,
                                      "5TiB"sv,
                                      "1.5KiB"sv,
                                      "0x5B"sv,
                                      "5B\0"sv,
                                      "18446744073709551616B"sv,
                                      "18014398509481984KiB"sv,
                                      "17179869184GiB"sv}) {
    EXPECT_FALSE(parse_byte_size(text).has_value()) << text;
  }
}

TEST(Units, ArePrintedInTheLargestWholeUnit) {
  const std::pair<std::int64_t, const char*> durations[] = {
      {0, "0ms"},     {1, "1ms"},      {999, "999ms"},    {1000, "1s"},       {1500, "1500ms"},
      {60'000, "1m"}, {90'000, "90s"}, {3'600'000, "1h"}, {5'400'000, "90m"}, {86'400'000, "24h"}};
  for (const auto& [milliseconds, text] : durations) EXPECT_EQ(to_string(Duration(milliseconds)), text);
  const std::pair<std::uint64_t, const char*> sizes[] = {{0, "0B"},
                                                         {1, "1B"},
                                                         {1023, "1023B"},
                                                         {1024, "1KiB"},
                                                         {1536, "1536B"},
                                                         {1 << 20, "1MiB"},
                                                         {3 << 19, "1536KiB"},
                                                         {1ull << 30, "1GiB"},
                                                         {1ull << 40, "1024GiB"},
                                                         {~0ull, "18446744073709551615B"}};
  for (const auto& [bytes, text] : sizes) EXPECT_EQ(to_string(ByteSize{bytes}), text);
}

TEST(Units, ParseBackWhatTheyPrint) {
  for (std::uint64_t value = 1; value < 86'400'000'000ull; value = value * 7 + 3) {
    const Duration duration(static_cast<std::int64_t>(value));
    EXPECT_EQ(parse_duration(to_string(duration)), duration);
    EXPECT_EQ(parse_byte_size(to_string(ByteSize{value})), ByteSize{value});
    EXPECT_EQ(parse_byte_size(to_string(ByteSize{value << 20})), ByteSize{value << 20});
  }
}

}  // namespace
}  // namespace gatehouse
