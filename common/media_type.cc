// Quoted strings may hold what else ends a piece.
#include "common/media_type.h"

#include <algorithm>

#include "common/token.h"

namespace gatehouse {
namespace {

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// What stands before the next `end` outside of quotes; `rest` begins behind it.
std::string_view take_piece(std::string_view& rest, char end) {
  bool is_quoted = false;
  std::size_t i = 0;
  for (; i < rest.size() && (is_quoted || rest[i] != end); ++i) {
    if (rest[i] == '"') is_quoted = !is_quoted;
    if (rest[i] == '\\' && is_quoted) ++i;
  }
  i = std::min(i, rest.size());
  const std::string_view piece = rest.substr(0, i);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return trim(piece);
}

// RFC 9110 §5.6.4: a quoted string says the same as its text, and a backslash in it the same as what follows.
bool says(std::string_view value, std::string_view wanted) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return value == wanted;
  value = value.substr(1, value.size() - 2);
  while (!value.empty() && !wanted.empty()) {
    if (value.front() == '\\' && value.size() > 1) value.remove_prefix(1);
    if (value.front() != wanted.front()) return false;
    value.remove_prefix(1);
    wanted.remove_prefix(1);
  }
  return value.empty() && wanted.empty();
}

// A token, but for the one that would be a wildcard.
bool is_plain_token(std::string_view text) { return is_token(text) && text.find('*') == std::string_view::npos; }

// RFC 9110 §12.4.2: "0", or with zeros behind a point.
bool is_zero(std::string_view weight) { return weight.starts_with('0') && weight.find_first_of("123456789") == std::string_view::npos; }

}  // namespace

std::optional<MediaType> MediaType::parse(std::string_view text) {
  MediaType type;
  type.type_ = take_piece(text, ';');
  const std::size_t slash = type.type_.find('/');
  if (slash == std::string::npos || !is_plain_token(std::string_view(type.type_).substr(0, slash)) ||
      !is_plain_token(std::string_view(type.type_).substr(slash + 1)))
    return std::nullopt;
  while (!text.empty()) {
    std::string_view value = take_piece(text, ';');
    const std::string_view name = take_piece(value, '=');
    if (!is_plain_token(name) || !is_plain_token(value) || equals_ignoring_case(name, "q")) return std::nullopt;
    type.parameters_.emplace_back(name, value);
  }
  return type;
}

bool MediaType::is_named_in(std::string_view accept) const {
  while (!accept.empty()) {
    if (is_named_by(take_piece(accept, ','))) return true;
  }
  return false;
}

bool MediaType::is_named_by(std::string_view range) const {
  if (!equals_ignoring_case(take_piece(range, ';'), type_)) return false;
  std::size_t found = 0;
  while (!range.empty()) {
    std::string_view value = take_piece(range, ';');
    const std::string_view name = take_piece(value, '=');
    if (equals_ignoring_case(name, "q") && is_zero(value)) return false;
    found += static_cast<std::size_t>(std::count_if(parameters_.begin(), parameters_.end(), [&](const Parameter& wanted) {
      return equals_ignoring_case(name, wanted.first) && says(value, wanted.second);
    }));
  }
  return found >= parameters_.size();
}

}  // namespace gatehouse
