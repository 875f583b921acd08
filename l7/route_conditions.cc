// Looks up values where they are; nothing is taken apart that no rule asks for.
#include "l7/route_conditions.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "common/check.h"
#include "common/hex.h"
#include "l7/folded_host.h"
#include "l7/http/cookie.h"
#include "l7/http/grpc.h"

namespace gatehouse::l7 {
namespace {

bool is_in(const config::NumberRange& range, std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() && number >= range.least && number <= range.most;
}

re2::StringPiece piece_of(std::string_view text) { return {text.data(), text.size()}; }

bool is_grpc(const RouteAsk& ask) {
  const http::Field* type = ask.fields ? ask.fields->find("content-type") : nullptr;
  return type && http::is_grpc(type->value);
}

}  // namespace

std::string decode_parameter(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (const int byte = escaped_byte(text.substr(i)); byte >= 0) {
      decoded += static_cast<char>(byte);
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
  if (!match.range.empty()) {
    set(Kind::kRange, match.range);
    range_ = *config::NumberRange::parse(match.range);
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
    case Kind::kRange: return is_in(range_, value);
    case Kind::kPresent:
    case Kind::kAbsent: return true;
  }
  GH_CHECK(false);
}

bool ValueTest::any_header(const RouteAsk& ask) const {
  if (!ask.fields) return false;
  const auto all = ask.fields->all();
  return std::any_of(all.begin(), all.end(), [this](const http::Field& field) {
    return equals_ignoring_case(field.name, name_) && fits(field.value);
  });
}

bool ValueTest::any_cookie(const RouteAsk& ask) const {
  return ask.fields && http::any_cookie(*ask.fields, name_, [this](std::string_view value) { return fits(value); });
}

bool ValueTest::any_parameter(const RouteAsk& ask) const {
  return l7::any_parameter(ask.query, name_, [this](std::string_view value) { return fits(value); });
}

std::string ValueTest::text() const {
  static constexpr const char* kSources[] = {"header", "cookie", "query parameter"};
  static constexpr const char* kKinds[] = {"exact", "prefix", "suffix", "contains", "regex", "range", "present", "absent"};
  std::string text = std::string(kSources[static_cast<int>(source_)]) + " " + name_ + " " + kKinds[static_cast<int>(kind_)];
  if (kind_ < Kind::kPresent) text += " \"" + text_ + "\"";
  return text;
}

TlsTest::TlsTest(const config::TlsMatch& match) {
  for (const std::string& version : match.versions) versions_.push_back("TLSv" + version);
  for (const std::string& name : match.sni) names_.emplace_back(FoldedHost(name.starts_with("*.") ? name.substr(1) : name).view());
  if (!match.client_subject.empty()) subject_.emplace(match.client_subject);
}

bool TlsTest::has_version(std::string_view version) const {
  return versions_.empty() || std::find(versions_.begin(), versions_.end(), version) != versions_.end();
}

bool TlsTest::has_name(std::string_view sni) const {
  const FoldedHost folded(sni);
  const std::string_view asked = folded.view();
  return names_.empty() || std::any_of(names_.begin(), names_.end(), [asked](const std::string& name) {
    return asked == name || (name.starts_with('.') && asked.size() > name.size() && asked.ends_with(name));
  });
}

const char* TlsTest::broken(const TlsFacts& facts) const {
  if (facts.version.empty()) return "the client does not speak TLS";
  if (!has_version(facts.version)) return "the TLS version is none of its versions";
  if (!has_name(facts.sni)) return "the server name that the client asked for is none of its sni";
  const bool has_subject = !subject_ || (!facts.client_subject.empty() && subject_->takes(facts.client_subject));
  return has_subject ? nullptr : "no verified client certificate has its client_subject";
}

RouteConditions::RouteConditions(const config::RouteMatch& match)
    : methods_(match.methods), clients_(match.clients), countries_(match.countries), is_grpc_(match.grpc.has_value()) {
  const auto add = [this](ValueTest::Source source, const std::vector<config::ValueMatch>& values) {
    for (const config::ValueMatch& value : values) values_.emplace_back(source, value);
  };
  add(ValueTest::Source::kHeader, match.headers);
  add(ValueTest::Source::kCookie, match.cookies);
  add(ValueTest::Source::kQuery, match.query);
  for (const std::string& type : match.accept) accept_.push_back(*MediaType::parse(type));
  if (match.tls) tls_.emplace(*match.tls);
  is_empty_ = methods_.empty() && clients_.empty() && countries_.empty() && values_.empty() && accept_.empty() && !tls_ && !is_grpc_;
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
  if (!countries_.empty() && std::find(countries_.begin(), countries_.end(), ask.country) == countries_.end()) {
    if (why) *why = ask.country.empty() ? "the client's country is not known" : "the client's country " + std::string(ask.country) + " is none of its countries";
    return true;
  }
  for (const ValueTest& value : values_) {
    if (value.holds(ask)) continue;
    if (why) *why = value.text() + " does not hold";
    return true;
  }
  const char* broken = tls_ ? tls_->broken(ask.tls) : nullptr;
  if (!broken && !accept_.empty() && !is_accepted(ask)) broken = "Accept names none of its media types";
  if (!broken && is_grpc_ && !is_grpc(ask)) broken = "it is no gRPC request";
  if (broken && why) *why = broken;
  return broken != nullptr;
}

bool RouteConditions::is_accepted(const RouteAsk& ask) const {
  if (!ask.fields) return false;
  const auto all = ask.fields->all();
  return std::any_of(all.begin(), all.end(), [this](const http::Field& field) {
    const auto is_named = [&field](const MediaType& type) { return type.is_named_in(field.value); };
    return equals_ignoring_case(field.name, "accept") && std::any_of(accept_.begin(), accept_.end(), is_named);
  });
}

std::string RouteConditions::broken(const RouteAsk& ask) const {
  std::string why;
  first_broken(ask, &why);
  return why;
}

}  // namespace gatehouse::l7
