#include "common/units.h"

#include <charconv>

namespace gatehouse {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t scale;
};

constexpr Unit kDurationUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr Unit kSizeUnits[] = {{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}, {"B", 1}};

template <std::size_t N>
std::optional<std::uint64_t> parse_scaled(std::string_view text, const Unit (&units)[N]) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : units) {
    std::uint64_t scaled = 0;
    if (unit.name == name && !__builtin_mul_overflow(number, unit.scale, &scaled)) return scaled;
  }
  return std::nullopt;
}

template <std::size_t N>
std::string print_scaled(std::uint64_t value, const Unit (&units)[N]) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.scale == 0) return std::to_string(value / unit.scale) + std::string(unit.name);
  }
  return "0" + std::string(units[N - 1].name);
}

}  // namespace

std::int64_t unix_milliseconds() {
  return std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto milliseconds = parse_scaled(text, kDurationUnits);
  constexpr std::uint64_t kMost = 1000ull * 3'600'000 * 24;  // a thousand days: more is a slip of the pen
  if (!milliseconds || *milliseconds > kMost) return std::nullopt;
  return Duration(static_cast<std::int64_t>(*milliseconds));
}

std::string to_string(Duration duration) {
  return print_scaled(static_cast<std::uint64_t>(duration.count()), kDurationUnits);
}

std::optional<ByteSize> parse_byte_size(std::string_view text) {
  const auto bytes = parse_scaled(text, kSizeUnits);
  if (!bytes) return std::nullopt;
  return ByteSize{*bytes};
}

std::string to_string(ByteSize size) { return print_scaled(size.bytes, kSizeUnits); }

}  // namespace gatehouse
