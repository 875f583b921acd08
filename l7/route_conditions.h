// What a match asks for beyond host and path: method, client and its country, values of header fields, cookies and query parameters. Compiled
// once, immutable; all of them must hold.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/model_routes.h"
#include "common/media_type.h"
#include "l7/http/cookie.h"
#include "l7/http/message.h"

namespace re2 {
class RE2;
}

namespace gatehouse::l7 {

// What TLS with the client came to; empty in the clear.
struct TlsFacts {
  std::string_view version;  // "TLSv1.3"
  std::string_view sni;
  std::string_view client_subject;  // of a verified certificate
};

// What routing looks at in a request: views.
struct RouteAsk {
  std::string_view host;    // without port, any case (a trailing dot is ignored)
  std::string_view path;    // as received
  std::string_view method;
  std::string_view query;   // without '?'
  const http::Fields* fields = nullptr;  // nullptr: none
  IpAddress client;
  TlsFacts tls;
  std::string_view country;  // of the client: two capitals; empty: not known
};

// A regular expression that the config's check let through: over the whole text, in time linear to it.
class WholeRegex {
 public:
  explicit WholeRegex(const std::string& pattern);
  ~WholeRegex();
  WholeRegex(WholeRegex&&) noexcept;
  bool takes(std::string_view text) const;

 private:
  std::unique_ptr<re2::RE2> regex_;
};

// One condition on the values of a name. Of several values one that fits is enough; "absent" wants that there is none.
class ValueTest {
 public:
  enum class Source : std::uint8_t { kHeader, kCookie, kQuery };
  ValueTest(Source source, const config::ValueMatch& match);
  bool holds(const RouteAsk& ask) const;
  std::string text() const;  // `header "X-Api" exact "v2"`

 private:
  enum class Kind : std::uint8_t { kExact, kPrefix, kSuffix, kContains, kRegex, kRange, kPresent, kAbsent };
  bool fits(std::string_view value) const;
  bool any_header(const RouteAsk& ask) const;
  bool any_cookie(const RouteAsk& ask) const;
  bool any_parameter(const RouteAsk& ask) const;

  Source source_;
  Kind kind_ = Kind::kPresent;
  std::string name_;
  std::string text_;
  std::vector<WholeRegex> regex_;  // of kRegex
  config::NumberRange range_;
};

class TlsTest {
 public:
  explicit TlsTest(const config::TlsMatch& match);
  // nullptr, or what does not hold.
  const char* broken(const TlsFacts& facts) const;

 private:
  bool has_version(std::string_view version) const;
  bool has_name(std::string_view sni) const;

  std::vector<std::string> versions_;  // "TLSv1.3"
  std::vector<std::string> names_;     // lower case, ".suffix" for "*.suffix"
  std::optional<WholeRegex> subject_;
};

class RouteConditions {
 public:
  explicit RouteConditions(const config::RouteMatch& match);
  bool hold(const RouteAsk& ask) const { return is_empty_ || !first_broken(ask, nullptr); }
  // Why they do not hold; empty: they do.
  std::string broken(const RouteAsk& ask) const;

 private:
  bool first_broken(const RouteAsk& ask, std::string* why) const;
  bool is_accepted(const RouteAsk& ask) const;

  bool is_empty_;
  std::vector<std::string> methods_;
  std::vector<IpPrefix> clients_;
  std::vector<std::string> countries_;
  std::vector<ValueTest> values_;
  std::vector<MediaType> accept_;
  std::optional<TlsTest> tls_;
  bool is_grpc_;
};

// `text` with %XX and '+' decoded (application/x-www-form-urlencoded); what is no escape stays as it is.
std::string decode_parameter(std::string_view text);

// Calls visit(value) for the parameters of that name, decoded, until one returns true. Takes memory only for what is
// encoded.
template <typename Visit>
bool any_parameter(std::string_view query, std::string_view name, Visit visit) {
  const auto is_encoded = [](std::string_view text) { return text.find_first_of("%+") != std::string_view::npos; };
  return http::any_piece(query, '&', [&](std::string_view parameter) {
    if (parameter.empty()) return false;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view found = parameter.substr(0, equals);
    if (is_encoded(found) ? decode_parameter(found) != name : found != name) return false;
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    return is_encoded(value) ? visit(decode_parameter(value)) : visit(value);
  });
}

}  // namespace gatehouse::l7
