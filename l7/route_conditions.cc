// Looks up values where they are; nothing is taken apart that no rule asks for.
#include "l7/route_conditions.h"

#include <re2/re2.h>

#include <algorithm>

#include "common/check.h"
#include "l7/http/cookie.h"

namespace gatehouse::l7 {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_encoded(std::string_view text) { return text.find_first_of("%+") != std::string_view::npos; }

re2::StringPiece piece_of(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::string decode_parameter(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (is_escape) {
      decoded += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

WholeRegex::WholeRegex(const std::string& pattern) : regex_(std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet)) {
  GH_CHECK(regex_->ok());
}
WholeRegex::~WholeRegex() = default;
WholeRegex::WholeRegex(WholeRegex&&) noexcept = default;

bool WholeRegex::takes(std::string_view text) const { return re2::RE2::FullMatch(piece_of(text), *regex_); }

ValueTest::ValueTest(Source source, const config::ValueMatch& match) : source_(source), name_(match.name) {
  const auto set = [this](Kind kind, const std::string& text) {
    kind_ = kind;
    text_ = text;
  };
  if (match.exact) set(Kind::kExact, *match.exact);
  if (!match.prefix.empty()) set(Kind::kPrefix, match.prefix);
  if (!match.suffix.empty()) set(Kind::kSuffix, match.suffix);
  if (!match.contains.empty()) set(Kind::kContains, match.contains);
  if (!match.regex.empty()) {
    set(Kind::kRegex, match.regex);
    regex_.emplace_back(match.regex);
  }
  if (match.absent) kind_ = Kind::kAbsent;
}

bool ValueTest::holds(const RouteAsk& ask) const {
  bool has_one = false;
  switch (source_) {
    case Source::kHeader: has_one = any_header(ask); break;
    case Source::kCookie: has_one = any_cookie(ask); break;
    case Source::kQuery: has_one = any_parameter(ask); break;
  }
  return has_one != (kind_ == Kind::kAbsent);
}

bool ValueTest::fits(std::string_view value) const {
  switch (kind_) {
    case Kind::kExact: return value == text_;
    case Kind::kPrefix: return value.starts_with(text_);
    case Kind::kSuffix: return value.ends_with(text_);
    case Kind::kContains: return value.find(text_) != std::string_view::npos;
    case Kind::kRegex: return regex_[0].takes(value);
    case Kind::kPresent:
    case Kind::kAbsent: return true;
  }
  GH_CHECK(false);
}

bool ValueTest::any_header(const RouteAsk& ask) const {
  if (!ask.fields) return false;
  const auto all = ask.fields->all();
  return std::any_of(all.begin(), all.end(), [this](const http::Field& field) {
    return http::equals_ignoring_case(field.name, name_) && fits(field.value);
  });
}

bool ValueTest::any_cookie(const RouteAsk& ask) const {
  return ask.fields && http::any_cookie(*ask.fields, name_, [this](std::string_view value) { return fits(value); });
}

// Takes memory only for what is encoded.
bool ValueTest::any_parameter(const RouteAsk& ask) const {
  return http::any_piece(ask.query, '&', [this](std::string_view parameter) {
    if (parameter.empty()) return false;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view name = parameter.substr(0, equals);
    if (is_encoded(name) ? decode_parameter(name) != name_ : name != name_) return false;
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    return is_encoded(value) ? fits(decode_parameter(value)) : fits(value);
  });
}

std::string ValueTest::text() const {
  static constexpr const char* kSources[] = {"header", "cookie", "query parameter"};
  static constexpr const char* kKinds[] = {"exact", "prefix", "suffix", "contains", "regex", "present", "absent"};
  std::string text = std::string(kSources[static_cast<int>(source_)]) + " " + name_ + " " + kKinds[static_cast<int>(kind_)];
  if (kind_ < Kind::kPresent) text += " \"" + text_ + "\"";
  return text;
}

RouteConditions::RouteConditions(const config::Route& route) : methods_(route.methods), clients_(route.clients) {
  const auto add = [this](ValueTest::Source source, const std::vector<config::ValueMatch>& matches) {
    for (const config::ValueMatch& match : matches) values_.emplace_back(source, match);
  };
  add(ValueTest::Source::kHeader, route.headers);
  add(ValueTest::Source::kCookie, route.cookies);
  add(ValueTest::Source::kQuery, route.query);
  is_empty_ = methods_.empty() && clients_.empty() && values_.empty();
}

bool RouteConditions::first_broken(const RouteAsk& ask, std::string* why) const {
  if (!methods_.empty() && std::find(methods_.begin(), methods_.end(), ask.method) == methods_.end()) {
    if (why) *why = "method " + std::string(ask.method) + " is none of its methods";
    return true;
  }
  const auto is_near = [&ask](const IpPrefix& prefix) { return prefix.contains(ask.client); };
  if (!clients_.empty() && std::none_of(clients_.begin(), clients_.end(), is_near)) {
    if (why) *why = ask.client.is_unspecified() ? "no client address was given" : "client " + to_string(ask.client) + " is none of its clients";
    return true;
  }
  for (const ValueTest& value : values_) {
    if (value.holds(ask)) continue;
    if (why) *why = value.text() + " does not hold";
    return true;
  }
  return false;
}

std::string RouteConditions::broken(const RouteAsk& ask) const {
  std::string why;
  first_broken(ask, &why);
  return why;
}

}  // namespace gatehouse::l7
