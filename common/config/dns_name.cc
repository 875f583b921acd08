#include "common/config/dns_name.h"

#include <algorithm>
#include <charconv>

#include "common/address.h"

namespace gatehouse::config {
namespace {

constexpr std::size_t kLongestName = 253, kLongestLabel = 63;

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_';
         });
}

}  // namespace

bool is_dns_name(std::string_view text) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > kLongestName || IpAddress::parse(text)) return false;
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == text.npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::optional<NamedPort> parse_named_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos || !is_dns_name(text.substr(0, colon))) return std::nullopt;
  const std::string_view digits = text.substr(colon + 1);
  NamedPort parsed{std::string(text.substr(0, colon)), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed.port);
  const bool is_port = error == std::errc() && end == digits.data() + digits.size() && parsed.port != 0;
  return is_port ? std::optional(std::move(parsed)) : std::nullopt;
}

}  // namespace gatehouse::config
