#include "common/hex.h"

namespace gatehouse {

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

void append_escaped(std::string& text, std::uint8_t byte) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  text += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
}

std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::optional<std::string> parse_escapes(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t plain = text.find('\\');
    result += text.substr(0, plain);
    if (plain == std::string_view::npos) break;
    text.remove_prefix(plain + 1);
    const char kind = text.empty() ? '\0' : text.front();
    const auto byte = kind == 'x' && text.size() >= 3 ? parse_hex(text.substr(1, 2)) : std::nullopt;
    if (kind == 'r' || kind == 'n' || kind == '\\') {
      result += kind == 'r' ? '\r' : kind == 'n' ? '\n' : '\\';
      text.remove_prefix(1);
    } else if (byte) {
      result += static_cast<char>(byte->front());
      text.remove_prefix(3);
    } else {
      return std::nullopt;
    }
  }
  return result;
}

}  // namespace gatehouse
