// Cookies of a request, where they are: nothing is copied or taken apart that nobody asks for.
#pragma once

#include <algorithm>
#include <string_view>

#include "l7/http/message.h"

namespace gatehouse::l7::http {

// Calls visit(piece) for the pieces between separators until one returns true.
template <typename Visit>
bool any_piece(std::string_view text, char separator, Visit visit) {
  for (;;) {
    const std::size_t end = text.find(separator);
    if (visit(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

// Calls visit(value) for the cookies of that name until one returns true (RFC 6265 §5.4). HTTP/2 may have
// split the field (RFC 9113 §8.2.3).
template <typename Visit>
bool any_cookie(const Fields& fields, std::string_view name, Visit visit) {
  const auto all = fields.all();
  return std::any_of(all.begin(), all.end(), [&](const Field& field) {
    if (!equals_ignoring_case(field.name, "cookie")) return false;
    return any_piece(field.value, ';', [&](std::string_view cookie) {
      while (cookie.starts_with(' ') || cookie.starts_with('\t')) cookie.remove_prefix(1);
      const bool is_named =
          cookie.starts_with(name) && cookie.size() > name.size() && cookie[name.size()] == '=';
      return is_named && visit(cookie.substr(name.size() + 1));
    });
  });
}

}  // namespace gatehouse::l7::http
