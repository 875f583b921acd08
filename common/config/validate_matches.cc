// Rules about what requests routes ask for, each match by itself. Which matches can be reached is
// validate_reach.cc's.
#include "common/config/path_groups.h"
#include "common/config/path_template.h"
#include "common/config/validator.h"
#include "common/media_type.h"

namespace gatehouse::config {
namespace {

// `where` and `label` are the match's: "route[2]" and "[[route]]", or "route[2].matches[0]" and
// "[[route]].matches".
class MatchValidator : Validator {
 public:
  MatchValidator(const Config& config, Findings& findings, std::string where, std::string label,
                 const RouteMatch& match)
      : Validator(config, findings), where_(std::move(where)), label_(std::move(label)), match_(match) {}

  void run(const std::string& whose) {
    check_one_path(whose);
    check_path("path", match_.path);
    check_path("path_prefix", match_.path_prefix);
    if (!match_.path_template.empty()) {
      const auto parsed = PathTemplate::parse(match_.path_template);
      if (!parsed) error(in("path_template"), label_ + " path_template: " + parsed.error().message);
    }
    check_regex(in("path_regex"), label_ + " path_regex", match_.path_regex);
    const std::string wrong = group_names(match_.path_regex).empty() ? "" : group_error(match_.path_regex);
    if (!wrong.empty()) error(in("path_regex"), label_ + " path_regex: " + wrong);
    check_words();
    if (match_.tls) check_tls_match(*match_.tls);
    if (match_.grpc) check_grpc(*match_.grpc);
    check_values("headers", match_.headers);
    check_values("cookies", match_.cookies);
    check_values("query", match_.query);
  }

 private:
  std::string in(const char* key) const { return where_ + "." + key; }

  void check_one_path(const std::string& whose) {
    std::string given;
    int count = 0;
    const auto look = [&](bool is_given, const char* name) {
      if (!is_given) return;
      given += (count++ ? " and " : "") + std::string(name);
    };
    look(!match_.path.empty(), "path");
    look(!match_.path_prefix.empty(), "path_prefix");
    look(!match_.path_regex.empty(), "path_regex");
    look(!match_.path_template.empty(), "path_template");
    look(match_.grpc.has_value(), "grpc");
    if (count > 1) error(where_, whose + " has " + given + ": expected one of them");
  }
  void check_path(const char* key, const std::string& path) {
    const bool is_good = path.empty() || (path[0] == '/' && path.find_first_of("?# ") == std::string::npos);
    if (!is_good)
      error(in(key), label_ + " " + key + ": expected a path that begins with '/', found " + quoted(path));
  }
  void check_words() {
    const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
    for (const std::string& method : match_.methods) {
      const bool is_good = !method.empty() && std::all_of(method.begin(), method.end(), [&](char c) {
        return is_capital(c) || c == '-' || c == '_';
      });
      if (!is_good)
        error(in("methods"),
              label_ + " methods: expected a method such as \"GET\", in capitals, found " + quoted(method));
    }
    for (const std::string& country : match_.countries) {
      const bool is_good = country.size() == 2 && std::all_of(country.begin(), country.end(), is_capital);
      if (!is_good)
        error(in("countries"),
              label_ + " countries: expected two capitals such as \"DE\", found " + quoted(country));
    }
    if (!match_.countries.empty() && !knows_countries(config_)) {
      error(in("countries"), label_ + " countries: expected [countries] with a database or a header");
    }
    for (const std::string& type : match_.accept) {
      if (MediaType::parse(type)) continue;
      error(
          in("accept"),
          label_ +
              " accept: expected a media type such as \"application/json\" or \"text/html;level=1\", found " +
              quoted(type));
    }
  }
  void check_tls_match(const TlsMatch& tls) {
    const std::string place = in("tls");
    for (const std::string& version : tls.versions) {
      if (version != "1.2" && version != "1.3")
        error(place, label_ + " tls.versions: expected \"1.2\" or \"1.3\", found " + quoted(version));
    }
    for (const std::string& name : tls.sni) check_host(place, label_ + " tls", name);
    check_regex(place, label_ + " tls.client_subject", tls.client_subject);
    const bool is_empty = tls.versions.empty() && tls.sni.empty() && tls.client_subject.empty();
    if (is_empty) error(place, label_ + " tls: expected versions, sni or client_subject");
  }
  void check_grpc(const GrpcMatch& grpc) {
    const auto is_good = [](const std::string& name, bool has_package) {
      return std::all_of(name.begin(), name.end(), [&](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (has_package && c == '.');
      });
    };
    const std::string place = in("grpc");
    if (grpc.service.empty() || !is_good(grpc.service, true)) {
      error(place, label_ + " grpc.service: expected a name such as \"shop.v1.Orders\", found " +
                       quoted(grpc.service));
    }
    if (!is_good(grpc.method, false))
      error(place, label_ + " grpc.method: expected a name such as \"Get\", found " + quoted(grpc.method));
  }
  void check_values(const char* key, const std::vector<ValueMatch>& matches) {
    for (std::size_t k = 0; k < matches.size(); ++k)
      check_value(in(key) + "[" + std::to_string(k) + "]", label_ + "." + key, matches[k]);
  }
  void check_value(const std::string& place, const std::string& label, const ValueMatch& match) {
    const bool is_name = !match.name.empty() && std::all_of(match.name.begin(), match.name.end(), [](char c) {
      return c > 0x20 && c < 0x7f && c != ':' && c != ';' && c != '=';
    });
    if (!is_name)
      error(place + ".name",
            label + " name: expected a name without spaces, ':', ';' and '=', found " + quoted(match.name));
    const int conditions = match.exact.has_value() + !match.prefix.empty() + !match.suffix.empty() +
                           !match.contains.empty() + !match.regex.empty() + !match.range.empty() +
                           match.present + match.absent;
    if (conditions != 1) {
      error(place, label + " " + quoted(match.name) + " has " + std::to_string(conditions) +
                       " conditions: expected exactly one of exact, prefix, suffix, contains, regex, range, "
                       "present, absent");
    }
    check_regex(place + ".regex", label + " regex", match.regex);
    if (!match.range.empty() && !NumberRange::parse(match.range)) {
      error(place + ".range", label +
                                  " range: expected two numbers such as \"200-299\", the first or the second "
                                  "may be missing, found " +
                                  quoted(match.range));
    }
  }

  std::string where_;
  std::string label_;
  const RouteMatch& match_;
};

}  // namespace

void validate_matches(const Config& config, std::size_t route, Findings& findings) {
  const Route& checked = config.routes[route];
  const std::string whose = "[[route]] " + quoted(checked.name);
  if (checked.matches.empty())
    return MatchValidator(config, findings, at("route", route), "[[route]]", checked).run(whose);
  const bool has_own = static_cast<const RouteMatch&>(checked) != RouteMatch();
  if (has_own) {
    findings.error(
        findings.line_of(at("route", route, "matches")),
        whose + " has matches and conditions beside them: expected these in each match that they are for");
  }
  for (std::size_t k = 0; k < checked.matches.size(); ++k) {
    const std::string where = at("route", route, "matches") + "[" + std::to_string(k) + "]";
    MatchValidator(config, findings, where, "[[route]].matches", checked.matches[k])
        .run(whose + " match " + std::to_string(k + 1));
  }
}

}  // namespace gatehouse::config
