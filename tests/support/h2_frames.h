// HTTP/2 frames byte by byte (RFC 9113 §4, §6), for what no library would send. Header sections are written without HPACK's
// table and without Huffman, but where a test asks for the table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::test::h2 {

enum Type : std::uint8_t { kData, kHeaders, kPriority, kRstStream, kSettings, kPushPromise, kPing, kGoaway, kWindowUpdate, kContinuation };
enum Flag : std::uint8_t { kNone = 0, kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8 };

inline const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

inline std::string number(std::uint32_t value, int bytes) {
  std::string text;
  while (bytes-- > 0) text += static_cast<char>(value >> (8 * bytes));
  return text;
}

inline std::string frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload = {}) {
  return number(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) + number(stream, 4) +
         std::string(payload);
}

// An integer of HPACK (RFC 7541 §5.1) behind the bits that are set in `first`.
inline std::string hpack_integer(std::uint8_t first, int prefix_bits, std::size_t value) {
  const std::size_t most = (1u << prefix_bits) - 1;
  if (value < most) return {static_cast<char>(first | value)};
  std::string text = {static_cast<char>(first | most)};
  for (value -= most; value >= 128; value >>= 7) text += static_cast<char>(value % 128 + 128);
  return text + static_cast<char>(value);
}

inline std::string literal(std::string_view name, std::string_view value, std::uint8_t kind = 0x00) {
  return static_cast<char>(kind) + hpack_integer(0, 7, name.size()) + std::string(name) + hpack_integer(0, 7, value.size()) + std::string(value);
}

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string section(const Fields& fields) {
  std::string bytes;
  for (const auto& [name, value] : fields) bytes += literal(name, value);
  return bytes;
}

inline std::string request(const std::string& method = "GET", const std::string& path = "/", const Fields& more = {}) {
  Fields fields = {{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "a.example"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return section(fields);
}

inline std::string setting(std::uint16_t id, std::uint32_t value) { return number(id, 2) + number(value, 4); }

struct Frame {
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t stream = 0;
  std::string payload;

  std::uint32_t word(std::size_t at) const {
    std::uint32_t value = 0;
    for (std::size_t i = at; i < at + 4 && i < payload.size(); ++i) value = value << 8 | static_cast<unsigned char>(payload[i]);
    return value;
  }
};

// The whole frames at the start of `bytes`.
inline std::vector<Frame> frames_of(std::string_view bytes) {
  std::vector<Frame> frames;
  const auto byte = [&bytes](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at])); };
  while (bytes.size() >= 9) {
    const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (bytes.size() < 9 + size) break;
    frames.push_back({static_cast<std::uint8_t>(byte(3)), static_cast<std::uint8_t>(byte(4)),
                      (byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8)) & 0x7fffffff, std::string(bytes.substr(9, size))});
    bytes.remove_prefix(9 + size);
  }
  return frames;
}

}  // namespace gatehouse::test::h2
