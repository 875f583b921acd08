// Keys for one purpose out of a secret that serves several: HKDF (RFC 5869) with SHA-256, without salt. A
// pure function: whoever has the secret and names the purpose gets the same keys.
#pragma once

#include <span>
#include <string_view>

namespace gatehouse::l7 {

void hkdf_sha256(std::string_view secret, std::string_view purpose, std::span<unsigned char> out);

}  // namespace gatehouse::l7
