// In order: escapes, what would be a dot segment to somebody else, segments.
#include "l7/path_rules.h"

#include <emmintrin.h>

#include <cstring>

#include "common/hex.h"

namespace gatehouse::l7 {
namespace {

constexpr const char* kMalformed = "malformed percent-encoding in the path";
constexpr const char* kEncodedSlash = "an encoded slash in the path";
constexpr const char* kHiddenDots = "a dot segment in the path that servers read in different ways";

PathRule rule_of(const std::string& name) {
  if (name == "keep") return PathRule::kKeep;
  return name == "refuse" ? PathRule::kRefuse : PathRule::kChange;
}

// Whether rules could have anything to say of it.
bool is_worth_a_look(std::string_view path) {
  const __m128i percent = _mm_set1_epi8('%'), backslash = _mm_set1_epi8('\\');
  const __m128i slash = _mm_set1_epi8('/'), dot = _mm_set1_epi8('.');
  unsigned was_slash = 0;
  for (; path.size() >= 16; path.remove_prefix(16)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(path.data()));
    const __m128i odd = _mm_or_si128(_mm_cmpeq_epi8(bytes, percent), _mm_cmpeq_epi8(bytes, backslash));
    const auto slashes = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, slash)));
    const auto dots = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, dot)));
    const unsigned behind_slash = slashes << 1 | was_slash;
    if (_mm_movemask_epi8(odd) != 0 || (behind_slash & (slashes | dots)) != 0) return true;
    was_slash = slashes >> 15 & 1;
  }
  for (const char c : path) {
    const bool is_slash = c == '/';
    if (c == '%' || c == '\\' || (was_slash && (is_slash || c == '.'))) return true;
    was_slash = is_slash;
  }
  return false;
}

// 1 for ".", 2 for "..", else 0; `rest`: what stands behind the dots, up to the next slash.
int dots_of(std::string_view segment, std::string_view& rest) {
  std::size_t count = 0;
  while (count < segment.size() && segment[count] == '.') ++count;
  rest = segment.substr(count);
  return count == 1 || count == 2 ? static_cast<int>(count) : 0;
}

bool is_encoded_slash(std::string_view text) { return escaped_byte(text) == '/' || escaped_byte(text) == '\\'; }

}  // namespace

PathRules::PathRules(const config::PathRules& rules)
    : dot_segments_(rule_of(rules.dot_segments)),
      encoded_slashes_(rule_of(rules.encoded_slashes)),
      double_slashes_(rule_of(rules.double_slashes)) {
  is_off_ = dot_segments_ == PathRule::kKeep && encoded_slashes_ == PathRule::kKeep && double_slashes_ == PathRule::kKeep;
}

const char* PathRules::apply(std::string_view& path, std::string& scratch) const {
  if (is_off_ || !is_worth_a_look(path) || !path.starts_with('/')) return nullptr;
  const char* why = decode(path, scratch);
  if (!why && dot_segments_ != PathRule::kKeep) why = look_for_dots(scratch);
  if (!why) why = resolve(scratch);
  if (!why) path = scratch;
  return why;
}

// RFC 3986 §6.2.2.2: an unreserved character is the same one escaped. An escaped NUL ends the path for some.
const char* PathRules::decode(std::string_view path, std::string& out) const {
  out.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool is_escape = path[i] == '%';
    const int value = is_escape ? escaped_byte(path.substr(i)) : path[i];
    if (is_escape && value <= 0) return kMalformed;
    const char c = static_cast<char>(value);
    const bool is_slash = c == '\\' || (is_escape && c == '/');
    if (is_slash && encoded_slashes_ == PathRule::kRefuse) return kEncodedSlash;
    if (is_slash && encoded_slashes_ == PathRule::kChange) {
      out += '/';
    } else if (is_escape && !is_unreserved(c)) {
      out.append(path, i, 3);
    } else {
      out += c;
    }
    if (is_escape) i += 2;
  }
  return nullptr;
}

// A segment of dots that ends in what only some take for its end: an encoded slash that stays, '\', or parameters, which
// servers of Java cut off ("/..;/").
const char* PathRules::look_for_dots(std::string_view path) const {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const bool is_start = path[i] == '/' || path[i] == '\\' || is_encoded_slash(path.substr(i));
    if (!is_start) continue;
    const bool is_plain = path[i] == '/';
    const std::string_view segment = path.substr(i + (path[i] == '%' ? 3 : 1));
    std::string_view rest;
    if (!dots_of(segment, rest)) continue;
    const bool ends_plainly = rest.empty() || rest[0] == '/';
    const bool ends_for_some = !rest.empty() && (rest[0] == ';' || rest[0] == '\\' || is_encoded_slash(rest));
    if (ends_for_some || (ends_plainly && !is_plain)) return kHiddenDots;
    if (ends_plainly && dot_segments_ == PathRule::kRefuse) return "a dot segment in the path";
  }
  return nullptr;
}

// RFC 3986 §5.2.4, in place: what is written is never ahead of what is read. Nothing is above the root.
const char* PathRules::resolve(std::string& path) const {
  const bool resolves = dot_segments_ == PathRule::kChange;
  std::size_t written = 0;  // path[0, written) is done, without its last slash
  for (std::size_t start = 0; start < path.size();) {
    std::size_t end = path.find('/', start + 1);
    const bool is_last = end == std::string::npos;
    if (is_last) end = path.size();
    const std::string_view segment = std::string_view(path).substr(start + 1, end - start - 1);
    if (segment.empty() && !is_last && double_slashes_ != PathRule::kKeep) {
      if (double_slashes_ == PathRule::kRefuse) return "a double slash in the path";
      start = end;
      continue;
    }
    std::string_view rest;
    const int dots = resolves ? dots_of(segment, rest) : 0;
    if (dots && rest.empty()) {
      if (dots == 2) written = written == 0 ? 0 : path.rfind('/', written - 1);
      if (is_last) path[written++] = '/';
    } else {
      std::memmove(path.data() + written, path.data() + start, end - start);
      written += end - start;
    }
    start = end;
  }
  path.resize(written == 0 ? 1 : written);
  return nullptr;
}

}  // namespace gatehouse::l7
