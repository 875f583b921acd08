// The line that lets one host join: who may join as what, where, whom it will meet there (the name of the L4
// host, and the SHA-256 of the public key of the site's authority), and the secret that is spent by joining.
//   gh1/node/n4/l4a/192.0.2.11:6082/SECRET/PIN     "*" in place of the name: any that the config has
#pragma once

#include <string>
#include <string_view>

#include "common/address.h"
#include "common/identity/site_authority.h"
#include "common/result.h"

namespace gatehouse::identity {

inline constexpr std::size_t kSecretDigits = 32;  // hexadecimal: 128 bits
inline constexpr std::size_t kPinDigits = 64;

struct JoinToken {
  Role role = Role::kNode;
  std::string name;  // empty: any
  std::string host;  // the L4 host that made it and takes it
  Endpoint address;  // its control address
  std::string secret;
  std::string pin;
  bool operator==(const JoinToken&) const = default;
};

std::string to_string(const JoinToken& token);
// Errors never repeat the secret.
Result<JoinToken> parse_join_token(std::string_view text);

}  // namespace gatehouse::identity
