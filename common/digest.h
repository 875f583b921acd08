// SHA-256 (FIPS 180-4) of bytes in memory.
#pragma once

#include <string>
#include <string_view>

namespace gatehouse {

inline constexpr std::size_t kDigestBytes = 32;

std::string sha256(std::string_view bytes);      // kDigestBytes, not printable
std::string sha256_hex(std::string_view bytes);  // in hexadecimal digits, lower case

}  // namespace gatehouse
