// Character classes of RFC 9110 and RFC 9112 as one table, and a vector test for field values.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "common/token.h"

namespace gatehouse::l7::http {

enum CharacterClass : std::uint8_t {
  kToken = 1,   // tchar, RFC 9110 §5.6.2
  kTarget = 2,  // what may stand in a request target: visible ASCII but '#'
  kValue = 4,   // field-vchar, SP and HTAB, RFC 9110 §5.5
  kDigit = 8,
  kHost = 16,  // uri-host of RFC 3986 §3.2.2 without brackets
};

consteval std::array<std::uint8_t, 256> make_character_classes() {
  std::array<std::uint8_t, 256> table{};
  const std::string_view host_marks = "-._~%!$&'()*+,;=";
  for (int c = 0; c < 256; ++c) {
    const bool is_digit = c >= '0' && c <= '9';
    const bool is_alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const char character = static_cast<char>(c);
    std::uint8_t& classes = table[static_cast<std::size_t>(c)];
    if (is_digit) classes |= kDigit;
    if (is_token_character(character)) classes |= kToken;
    if (is_digit || is_alpha || (c && host_marks.find(character) != std::string_view::npos)) classes |= kHost;
    if (c > 0x20 && c < 0x7f && c != '#') classes |= kTarget;
    if ((c >= 0x20 && c != 0x7f) || c == '\t') classes |= kValue;
  }
  return table;
}

inline constexpr std::array<std::uint8_t, 256> kCharacterClasses = make_character_classes();

inline bool is_a(char c, CharacterClass wanted) {
  return (kCharacterClasses[static_cast<unsigned char>(c)] & wanted) != 0;
}

inline bool all_are(std::string_view text, CharacterClass wanted) {
  for (const char c : text) {
    if (!is_a(c, wanted)) return false;
  }
  return true;
}

// all_are(text, kValue), sixteen bytes at a time.
inline bool is_field_value(std::string_view text) {
  const __m128i space = _mm_set1_epi8(0x20), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  for (; text.size() >= 16; text.remove_prefix(16)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data()));
    const __m128i visible = _mm_cmpeq_epi8(_mm_max_epu8(bytes, space), bytes);
    const __m128i good =
        _mm_andnot_si128(_mm_cmpeq_epi8(bytes, del), _mm_or_si128(visible, _mm_cmpeq_epi8(bytes, tab)));
    if (_mm_movemask_epi8(good) != 0xffff) return false;
  }
  return all_are(text, kValue);
}

}  // namespace gatehouse::l7::http
