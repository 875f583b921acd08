#include "l7/http/grpc.h"

#include <algorithm>
#include <charconv>

#include "common/hex.h"
#include "l7/http/message.h"

namespace gatehouse::l7::http {

bool is_grpc(std::string_view content_type) {
  constexpr std::string_view kType = "application/grpc";
  if (content_type.size() < kType.size() || !equals_ignoring_case(content_type.substr(0, kType.size()), kType)) return false;
  const char next = content_type.size() > kType.size() ? content_type[kType.size()] : ';';
  return next == ';' || next == '+' || next == ' ';
}

std::optional<Duration> parse_grpc_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;  // at most eight digits
  std::int64_t value = 0;
  const char* const digits_end = text.data() + text.size() - 1;
  const auto [end, error] = std::from_chars(text.data(), digits_end, value);
  if (error != std::errc() || end != digits_end || value < 0) return std::nullopt;
  std::int64_t nanoseconds = 1;
  switch (text.back()) {
    case 'H': nanoseconds = 3'600'000'000'000; break;
    case 'M': nanoseconds = 60'000'000'000; break;
    case 'S': nanoseconds = 1'000'000'000; break;
    case 'm': nanoseconds = 1'000'000; break;
    case 'u': nanoseconds = 1'000; break;
    case 'n': break;
    default: return std::nullopt;
  }
  constexpr std::int64_t kDay = 24 * 3'600'000'000'000;
  const std::int64_t total = value > kDay / nanoseconds ? kDay : value * nanoseconds;
  return std::chrono::ceil<Duration>(std::chrono::nanoseconds(total));
}

std::uint8_t grpc_status(std::uint16_t http_status) {
  switch (http_status) {
    case 400: return 13;  // INTERNAL
    case 401: return 16;  // UNAUTHENTICATED
    case 403: return 7;   // PERMISSION_DENIED
    case 404: return 12;  // UNIMPLEMENTED
    case 429:
    case 502:
    case 503:
    case 504: return 14;  // UNAVAILABLE
    default: return 2;    // UNKNOWN
  }
}

std::string grpc_message(std::string_view text) {
  std::string message;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && byte != '%') {
      message += c;
    } else {
      append_escaped(message, byte);
    }
  }
  return message;
}

}  // namespace gatehouse::l7::http
