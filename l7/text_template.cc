// Puts texts with variables together.
#include "l7/text_template.h"

#include "common/check.h"
#include "common/hex.h"

namespace gatehouse::l7 {

// A '?' with nothing behind it is a query too: the view's data tells.
std::string_view RouteFacts::query_of(const http::Request& request) {
  return request.query.data() ? std::string_view(request.query.data() - 1, request.query.size() + 1)
                              : std::string_view();
}

std::string_view RouteFacts::value(const config::TemplatePart& part) const {
  using config::Variable;
  switch (*part.variable) {
    case Variable::kClientAddress:
      return client_address;
    case Variable::kClientCountry:
      return client_country;
    case Variable::kRequestId:
      return request_id;
    case Variable::kRoute:
      return route;
    case Variable::kSni:
      return sni;
    case Variable::kScheme:
      return scheme;
    case Variable::kHost:
      return host;
    case Variable::kPath:
      return path;
    case Variable::kQuery:
      return query;
    case Variable::kSegment:
      return matched ? matched->value(path, groups, part.text) : std::string_view();
  }
  GH_CHECK(false);
}

Template::Template(std::string_view text) {
  auto parsed = config::parse_template(text);
  GH_CHECK(parsed.has_value());
  parts_ = std::move(*parsed);
}

std::size_t Template::size(const RouteFacts& facts) const {
  std::size_t size = 0;
  for (const config::TemplatePart& part : parts_)
    size += part.variable ? facts.value(part).size() : part.text.size();
  return size;
}

void Template::append(const RouteFacts& facts, std::string& out) const {
  for (const config::TemplatePart& part : parts_)
    out += part.variable ? facts.value(part) : std::string_view(part.text);
}

void Template::append_encoded(const RouteFacts& facts, std::string& out) const {
  for (const config::TemplatePart& part : parts_) {
    const bool is_encoded = part.variable == config::Variable::kSegment;
    l7::append_encoded(part.variable ? facts.value(part) : std::string_view(part.text),
                       is_encoded ? Escapes::kAreKept : Escapes::kAreText, out);
  }
}

bool Template::has(config::Variable variable) const {
  for (const config::TemplatePart& part : parts_) {
    if (part.variable == variable) return true;
  }
  return false;
}

void append_encoded(std::string_view text, Escapes escapes, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = escapes == Escapes::kAreKept && escaped_byte(text.substr(i)) >= 0;
    if (is_unreserved(text[i]) || is_escape) {
      out += text[i];
    } else {
      append_escaped(out, static_cast<std::uint8_t>(text[i]));
    }
  }
}

}  // namespace gatehouse::l7
