#include "l7/http/target.h"

#include "l7/http/characters.h"

namespace gatehouse::l7::http {

bool parse_authority(std::string_view authority, std::string_view& host) {
  std::size_t end = 0;
  if (authority.starts_with('[')) {
    end = authority.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    for (const char c : authority.substr(1, end - 1)) {
      if (!is_a(c, kHost) && c != ':') return false;
    }
    ++end;
  } else {
    while (end < authority.size() && is_a(authority[end], kHost)) ++end;
  }
  if (end == 0) return false;
  host = authority.substr(0, end);
  if (end == authority.size()) return true;
  const std::string_view port = authority.substr(end + 1);
  return authority[end] == ':' && port.size() <= 5 && all_are(port, kDigit);
}

void split_path(std::string_view target, Request& request) {
  const std::size_t mark = target.find('?');
  request.path = target.substr(0, mark);
  request.query = mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

}  // namespace gatehouse::l7::http
