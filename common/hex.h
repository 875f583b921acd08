// Bytes that people write in a config: as hexadecimal digits, or as text in which "\xNN" is a byte.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// "c4605e". Two digits for each byte, nothing between them.
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);
// Also "\r", "\n", "\\". nullopt: a backslash before anything else.
std::optional<std::string> parse_escapes(std::string_view text);

}  // namespace gatehouse
