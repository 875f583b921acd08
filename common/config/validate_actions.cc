// Rules about what a route does with a request: that it does one thing, and that what it writes into messages cannot break
// them.
#include <array>
#include <set>

#include "common/config/path_groups.h"
#include "common/config/path_template.h"
#include "common/config/template.h"
#include "common/config/validator.h"
#include "common/token.h"

namespace gatehouse::config {
namespace {

// Visible ASCII, without what ends a path or query.
bool is_target_part(const std::string& text, std::string_view forbidden) {
  return std::all_of(text.begin(), text.end(), [forbidden](char c) {
    return c > 0x20 && c < 0x7f && forbidden.find(c) == std::string_view::npos;
  });
}
// With one '/' at its beginning; or none.
bool is_path(const std::string& text) {
  return text.empty() || (text[0] == '/' && !text.starts_with("//") && is_target_part(text, "?#"));
}
bool is_authority(const std::string& text) {
  const std::size_t colon = text.ends_with(']') ? std::string::npos : text.rfind(':');
  const std::string host = text.substr(0, colon);
  const std::string port = colon == std::string::npos ? "1" : text.substr(colon + 1);
  const bool is_port = !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool is_v6 = host.starts_with('[') && host.ends_with(']') && IpAddress::parse(host.substr(1, host.size() - 2));
  return is_port && (is_v6 || (!host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
                       return std::isalnum(c) || c == '.' || c == '-' || c == '_';
                     })));
}
std::string in_lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Why nobody but Gatehouse writes a field; empty: a route may.
std::string reason_against(const std::string& name, bool is_request) {
  static const std::set<std::string> framing = {"connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade",
                                                "keep-alive", "proxy-connection", "http2-settings", "expect"};
  static const std::set<std::string> forwarding = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
                                                   "x-forwarded-prefix", "forwarded", "early-data"};
  if (framing.contains(name)) return "belongs to the connection, not to the message: Gatehouse writes it";
  if (name == "via" || name == "x-request-id") return "is written by Gatehouse";
  if (!is_request) return name == "strict-transport-security" ? "is what the option hsts is for" : "";
  if (name == "x-attempt-count") return "is written by Gatehouse";
  if (name == "host") return "is what rewrite.host is for";
  const bool is_about_client = forwarding.contains(name) || name.starts_with("x-client-cert-") || name.starts_with("client-cert");
  return is_about_client ? "says who the client is: Gatehouse writes it" : "";
}

class ActionValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.routes.size(); ++i) check(i, config_.routes[i]);
  }

 private:
  void check(std::size_t i, const Route& route) {
    variables_.clear();
    for (const RouteMatch& match : matches_of(route)) {
      const auto parsed = PathTemplate::parse(match.path_template);
      variables_.push_back(parsed ? parsed->names() : group_names(match.path_regex));
    }
    check_is_one(i, route);
    if (route.redirect) check_redirect(i, route);
    if (route.response) check_response(i, *route.response);
    if (route.rewrite) check_rewrite(i, route);
    check_changes(at("route", i, "request_headers"), "[[route]].request_headers", route.request_headers, true);
    check_changes(at("route", i, "response_headers"), "[[route]].response_headers", route.response_headers, false);
    const HeaderChanges& asked = route.request_headers;
    const bool changes_request = !asked.set.empty() || !asked.add.empty() || !asked.remove.empty();
    if (route.pool.empty() && route.pools.empty() && changes_request) {
      error(at("route", i, "request_headers"), "[[route]] " + quoted(route.name) + " has request_headers and no backend: expected a pool");
    }
  }

  // Complains, too, of variables that not every match of the route has.
  std::optional<std::vector<TemplatePart>> parts_of(const std::string& where, const std::string& label, const std::string& text) {
    auto parts = parse_template(text);
    if (!parts) {
      error(where, label + ": " + parts.error().message);
      return std::nullopt;
    }
    for (const TemplatePart& part : *parts) {
      if (part.variable == Variable::kClientCountry && !knows_countries(config_)) {
        error(where, label + ": {client.country}: expected [countries] with a database or a header");
        return std::nullopt;
      }
      if (part.variable != Variable::kSegment) continue;
      for (std::size_t k = 0; k < variables_.size(); ++k) {
        const std::vector<std::string>& known = variables_[k];
        if (std::find(known.begin(), known.end(), part.text) != known.end()) continue;
        const std::string whose = variables_.size() == 1 ? "the route" : "match " + std::to_string(k + 1) + " of the route";
        error(where, label + ": " + whose + " has no path_template or path_regex with {" + part.text + "}" + (known.empty() ? "" : suggest(part.text, known)));
        return std::nullopt;
      }
    }
    return std::move(*parts);
  }

  void check_is_one(std::size_t i, const Route& route) {
    std::string given;
    const auto count = [&given](bool is_given, const char* name) {
      if (is_given) given += (given.empty() ? "" : " and ") + std::string(name);
      return is_given ? 1 : 0;
    };
    const int actions = count(!route.pool.empty(), "pool") + count(!route.pools.empty(), "pools") + count(route.redirect.has_value(), "redirect") + count(route.response.has_value(), "response");
    if (actions != 1) {
      error(at("route", i), "[[route]] " + quoted(route.name) + " has " + (given.empty() ? "neither" : given) +
                                ": expected exactly one of pool, pools, redirect and response");
    } else if (route.name.empty()) {
      error(at("route", i), "[[route]] without one pool needs a name");
    }
  }

  void expect(bool is_good, const std::string& where, const std::string& label, const std::string& expected, const std::string& found) {
    if (!is_good) error(where, label + ": expected " + expected + ", found " + quoted(found));
  }

  void check_redirect(std::size_t i, const Route& route) {
    const Redirect& redirect = *route.redirect;
    const std::string where = at("route", i, "redirect"), label = "[[route]].redirect ";
    constexpr std::array<int, 5> kStatuses = {301, 302, 303, 307, 308};
    const bool is_status = std::find(kStatuses.begin(), kStatuses.end(), redirect.status) != kStatuses.end();
    if (!is_status) error(where + ".status", label + "status: expected 301, 302, 303, 307 or 308, found " + std::to_string(redirect.status));
    const bool has_path = !redirect.path.empty(), has_prefix = !redirect.replace_prefix.empty();
    const bool has_parts = !redirect.scheme.empty() || !redirect.host.empty() || has_path || has_prefix || redirect.query;
    if (redirect.target.empty() != has_parts) {
      error(where, "[[route]].redirect: expected either target or some of scheme, host, path, replace_prefix and query");
    }
    if (!redirect.target.empty()) return check_target(where + ".target", redirect.target);
    const bool is_scheme = redirect.scheme.empty() || redirect.scheme == "http" || redirect.scheme == "https";
    expect(is_scheme, where + ".scheme", label + "scheme", "\"http\" or \"https\"", redirect.scheme);
    expect(redirect.host.empty() || is_authority(redirect.host), where + ".host", label + "host",
           "a host such as \"www.shop.example\" or \"shop.example:8443\"", redirect.host);
    check_new_path(where, label, redirect.path, redirect.replace_prefix);
    if (has_path && has_prefix) error(where, label + "has more than one new path: expected one of path and replace_prefix");
    if (has_prefix) check_has_prefix(where, label + "replace_prefix", route);
    const std::string query = redirect.query.value_or("");
    expect(is_target_part(query, "#?"), where + ".query", label + "query", "a query without '?' and '#', spaces as \"%20\"", query);
  }

  static constexpr const char* kWantedPath = "a path that begins with one '/', without query, spaces as \"%20\"";

  void check_new_path(const std::string& where, const std::string& label, const std::string& path, const std::string& prefix) {
    expect(is_path(path), where + ".path", label + "path", kWantedPath, path);
    expect(is_path(prefix), where + ".replace_prefix", label + "replace_prefix", kWantedPath, prefix);
  }
  // What is to be replaced is the prefix that the route matches by.
  void check_has_prefix(const std::string& where, const std::string& label, const Route& route) {
    const auto matches = matches_of(route);
    const bool have_all = std::none_of(matches.begin(), matches.end(), [](const RouteMatch& match) { return match.path_prefix.empty(); });
    if (!have_all) error(where, label + ": expected a route with path_prefix" + (route.matches.empty() ? "" : " in each match"));
  }

  // No part of the request but its host may say where the URL's authority ends: "https://a.example{query}" could lead to
  // "https://a.example@evil.example".
  void check_target(const std::string& where, const std::string& target) {
    const std::string label = "[[route]].redirect target";
    const auto parts = parts_of(where, label, target);
    if (!parts) return;
    std::string shape;  // with a letter for the variables that may be part of an authority, '\1' for the others
    for (const TemplatePart& part : *parts) {
      if (!part.variable) {
        shape += part.text;
      } else if (*part.variable == Variable::kScheme && shape.empty()) {
        shape += "https";
      } else {
        shape += *part.variable == Variable::kHost ? "h" : *part.variable == Variable::kPath ? "/" : "\1";
      }
    }
    const std::size_t scheme = shape.starts_with("https://") ? 8 : shape.starts_with("http://") ? 7 : 0;
    const std::string authority = shape.substr(scheme, shape.find('/', scheme) - scheme);
    const bool is_good = scheme && is_authority(authority);
    expect(is_good, where, label, "a URL such as \"https://new.example{path}{query}\", whose host ends with '/' or {path}", target);
    std::string rest = shape;
    std::erase(rest, '\1');
    if (is_good) expect(is_target_part(rest, ""), where, label, "a URL without spaces and control characters", target);
  }

  void check_response(std::size_t i, const DirectResponse& response) {
    const std::string where = at("route", i, "response"), label = "[[route]].response ";
    const bool is_bodiless = response.status == 205 || response.status == 304;
    if (is_bodiless) error(where + ".status", label + "status: expected one that says something by itself, found " + std::to_string(response.status));
    const bool has_body = !response.body.empty(), has_file = !response.file.empty();
    if (response.status == 204 && has_body) error(where + ".body", label + "body: expected none with status 204");
    if (response.status == 204 && has_file) error(where + ".file", label + "file: expected none with status 204");
    if (has_body && has_file) error(where + ".file", "[[route]].response has body and file: expected one of them");
    check_content_type(where, label, response);
    for (std::size_t k = 0; k < response.headers.size(); ++k) {
      check_field(where + ".headers[" + std::to_string(k) + "]", label + "headers", response.headers[k], false, true);
    }
  }

  void check_content_type(const std::string& where, const std::string& label, const DirectResponse& response) {
    const std::string& type = response.content_type;
    if (type.empty()) return;
    const bool is_good = is_field_value(type) && type.find('/') != std::string::npos && type.find('{') == std::string::npos;
    expect(is_good, where + ".content_type", label + "content_type", "a media type such as \"text/html; charset=utf-8\"", type);
    const auto names_it = [](const HeaderValue& field) { return in_lower_case(field.name) == "content-type"; };
    if (std::any_of(response.headers.begin(), response.headers.end(), names_it)) {
      error(where + ".content_type", "[[route]].response has content_type and a field Content-Type: expected one of them");
    }
  }

  void check_rewrite(std::size_t i, const Route& route) {
    const Rewrite& rewrite = *route.rewrite;
    const std::string where = at("route", i, "rewrite"), label = "[[route]].rewrite ";
    if (route.pool.empty() && route.pools.empty()) error(where, "[[route]] " + quoted(route.name) + " has rewrite and no backend: expected a pool");
    expect(rewrite.host.empty() || is_authority(rewrite.host), where + ".host", label + "host",
           "a host such as \"www.shop.example\" or \"shop.example:8443\"", rewrite.host);
    check_new_path(where, label, rewrite.path, rewrite.replace_prefix);
    const int paths = !rewrite.path.empty() + !rewrite.replace_prefix.empty() + rewrite.strip_prefix + !rewrite.regex.empty();
    if (paths > 1) error(where, label + "has more than one new path: expected one of path, replace_prefix, strip_prefix and regex");
    if (!rewrite.replace_prefix.empty()) check_has_prefix(where, label + "replace_prefix", route);
    if (rewrite.strip_prefix) check_has_prefix(where, label + "strip_prefix", route);
    parts_of(where + ".path", label + "path", rewrite.path);
    check_substitution(where, label, rewrite);
    if (rewrite.query) check_query(where + ".query", *rewrite.query);
  }
  void check_substitution(const std::string& where, const std::string& label, const Rewrite& rewrite) {
    if (rewrite.regex.empty() != rewrite.substitution.empty()) return error(where, label + "expected regex and substitution together");
    if (rewrite.regex.empty()) return;
    check_regex(where + ".regex", label + "regex", rewrite.regex);
    if (const std::string wrong = group_error(rewrite.regex); !wrong.empty()) error(where + ".regex", label + "regex: " + wrong);
    const std::string& text = rewrite.substitution;
    const bool is_good = is_path(text) && text.find("\\\\") == std::string::npos;
    expect(is_good, where + ".substitution", label + "substitution", kWantedPath, text);
    const std::string wrong = substitution_error(rewrite.regex, text);
    if (is_good && !wrong.empty()) error(where + ".substitution", label + "substitution: " + wrong);
  }
  void check_query(const std::string& where, const QueryChanges& changes) {
    const std::string label = "[[route]].rewrite.query ";
    const auto check = [&](const char* key, const std::vector<QueryParameter>& parameters) {
      for (std::size_t k = 0; k < parameters.size(); ++k) {
        const std::string place = where + "." + key + "[" + std::to_string(k) + "]";
        expect(!parameters[k].name.empty(), place, label + key, "the name of a parameter", "");
        parts_of(place, label + key, parameters[k].value);
      }
    };
    check("set", changes.set);
    check("add", changes.add);
    for (const std::string& name : changes.remove) expect(!name.empty(), where + ".remove", label + "remove", "the name of a parameter", "");
    const bool is_empty = changes.set.empty() && changes.add.empty() && changes.remove.empty();
    if (is_empty) error(where, "[[route]].rewrite.query: expected set, add or remove");
  }

  void check_changes(const std::string& where, const std::string& label, const HeaderChanges& changes, bool is_request) {
    for (std::size_t k = 0; k < changes.set.size(); ++k) {
      check_field(where + ".set[" + std::to_string(k) + "]", label + " set", changes.set[k], is_request, is_request);
    }
    for (std::size_t k = 0; k < changes.add.size(); ++k) {
      check_field(where + ".add[" + std::to_string(k) + "]", label + " add", changes.add[k], is_request, is_request);
    }
    for (std::size_t k = 0; k < changes.remove.size(); ++k) {
      check_name(where + ".remove[" + std::to_string(k) + "]", label + " remove", changes.remove[k], is_request);
    }
  }
  void check_name(const std::string& where, const std::string& label, const std::string& name, bool is_request) {
    expect(is_token(name), where, label, "a field name such as \"X-Shop\"", name);
    const std::string reason = reason_against(in_lower_case(name), is_request);
    if (!reason.empty()) error(where, label + ": " + quoted(name) + " " + reason);
  }
  void check_field(const std::string& where, const std::string& label, const HeaderValue& field, bool is_request, bool has_request) {
    check_name(where + ".name", label, field.name, is_request);
    expect(is_field_value(field.value), where + ".value", label, "a value without line ends and control characters, and no space around it", field.value);
    const auto parts = parts_of(where + ".value", label, field.value);
    if (!parts) return;
    const bool asks_for_request = std::any_of(parts->begin(), parts->end(), [](const TemplatePart& part) { return part.variable && is_of_request(*part.variable); });
    if (asks_for_request && !has_request) {
      error(where + ".value", label + ": {host}, {path} and {query} are not known any more when the response is there: expected other variables");
    }
  }

  std::vector<std::vector<std::string>> variables_;  // of the route's paths, by match
};

}  // namespace

void validate_actions(const Config& config, Findings& findings) { ActionValidator(config, findings).run(); }

}  // namespace gatehouse::config
