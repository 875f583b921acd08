// Words as HTTP has them: tokens, and names that are equal in any case.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace gatehouse {

// tchar, RFC 9110 §5.6.2.
constexpr bool is_token_character(char c) {
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return is_letter || (c >= '0' && c <= '9') || (c && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}
constexpr bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_character);
}

// ASCII case-insensitive equality. Most comparisons end at the lengths or the first letters.
bool equal_in_lower_case(const char* left, const char* right, std::size_t size);
inline bool equals_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  if (left.empty()) return true;
  return ((left[0] ^ right[0]) & ~0x20) == 0 && equal_in_lower_case(left.data(), right.data(), left.size());
}

}  // namespace gatehouse
