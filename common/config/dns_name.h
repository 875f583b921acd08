// Names of DNS as a config has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::config {

// Labels of letters, digits, '-' and '_', in all at most 253 characters (RFC 1035 §2.3.4); no address.
bool is_dns_name(std::string_view text);

struct NamedPort {
  std::string name;
  std::uint16_t port = 0;
};
// "api.internal:8080"; no address, no port 0.
std::optional<NamedPort> parse_named_port(std::string_view text);

}  // namespace gatehouse::config
