// Bytes as text: hexadecimal digits, the escapes of a URI, and text in which "\xNN" is a byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse {

// 0 to 15; -1: `c` is no hexadecimal digit.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// "c4605e". Two digits for each byte, nothing between them; written in lower case.
std::string to_hex(std::span<const std::uint8_t> bytes);
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text);

// The byte that the escape stands for which `text` begins with, "%2F" (RFC 3986 §2.1); -1: it begins with
// none.
constexpr int escaped_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}
void append_escaped(std::string& text, std::uint8_t byte);
// What means the same escaped or not (RFC 3986 §2.3).
constexpr bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Also "\r", "\n", "\\". nullopt: a backslash before anything else.
std::optional<std::string> parse_escapes(std::string_view text);

}  // namespace gatehouse
