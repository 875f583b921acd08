// Quantities that carry their unit. Config never takes a bare number for a time or a size.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

using Duration = std::chrono::milliseconds;

// Of the calendar, since 1970: what is kept over restarts. The loop has a clock of its own.
std::int64_t unix_milliseconds();

struct ByteSize {
  std::uint64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

// "250ms", "30s", "5m", "1h". No fraction, no space, no missing unit.
std::optional<Duration> parse_duration(std::string_view text);
std::string to_string(Duration duration);

// "512B", "64KiB", "16MiB", "1GiB".
std::optional<ByteSize> parse_byte_size(std::string_view text);
std::string to_string(ByteSize size);

}  // namespace gatehouse
