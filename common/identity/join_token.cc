// Seven parts between slashes, no more and no fewer.
#include "common/identity/join_token.h"

#include <algorithm>
#include <array>

#include "common/hex.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kKind = "gh1";
constexpr std::size_t kLongest = 512;

bool is_hex(std::string_view text, std::size_t digits) {
  const auto is_digit = [](char c) { return hex_value(c) >= 0 && !(c >= 'A' && c <= 'F'); };
  return text.size() == digits && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f;
  });
}

}  // namespace

std::string to_string(const JoinToken& token) {
  return std::string(kKind) + "/" + std::string(to_string(token.role)) + "/" +
         (token.name.empty() ? "*" : token.name) + "/" + token.host + "/" +
         gatehouse::to_string(token.address) + "/" + token.secret + "/" + token.pin;
}

Result<JoinToken> parse_join_token(std::string_view text) {
  const Error malformed{
      "this is no token to join with: expected the whole line that `gatehouse token create` printed, "
      "gh1/..."};
  if (text.size() > kLongest) return malformed;
  std::array<std::string_view, 7> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::size_t slash = i + 1 < parts.size() ? text.find('/') : text.size();
    if (slash == text.npos) return malformed;
    parts[i] = text.substr(0, slash);
    text.remove_prefix(std::min(text.size(), slash + 1));
  }
  const auto [kind, role_text, name, host, address_text, secret, pin] = parts;
  const auto role = parse_role(role_text);
  const auto address = Endpoint::parse(address_text);
  if (kind != kKind || !role || !is_name(name) || !is_name(host) || !address || address->port == 0)
    return malformed;
  if (!is_hex(secret, kSecretDigits) || !is_hex(pin, kPinDigits)) return malformed;
  return JoinToken{
      *role,           name == "*" ? "" : std::string(name), std::string(host), *address, std::string(secret),
      std::string(pin)};
}

}  // namespace gatehouse::identity
