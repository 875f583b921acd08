// What the checks across sections share: validate.cc runs them in order, validate_site.cc, validate_bgp.cc, validate_protection.cc,
// validate_http.cc, validate_health.cc, validate_discovery.cc, validate_routes.cc, validate_matches.cc,
// validate_reach.cc, validate_regexes.cc,
// validate_actions.cc, validate_affinity.cc, validate_service.cc and validate_tls.cc each check their part. A new rule is a method of one of these.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "common/config/findings.h"

namespace gatehouse::config {

// "listener[2].vips": where findings look lines up.
inline std::string at(const char* section, std::size_t index, const char* key = nullptr) {
  return std::string(section) + "[" + std::to_string(index) + "]" + (key ? std::string(".") + key : "");
}
inline std::string quoted(const std::string& text) { return "\"" + text + "\""; }

// Whether the country of a client can be known.
inline bool knows_countries(const Config& config) { return !config.countries.database.empty() || !config.countries.header.empty(); }

// Why RE2 does not take it; empty: it does.
std::string regex_error(const std::string& pattern);

// RFC 9110 §5.5.
inline bool is_field_value(const std::string& text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  if (!text.empty() && (is_space(text.front()) || is_space(text.back()))) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c == '\t' || (c >= 0x20 && c != 0x7f); });
}

class Validator {
 public:
  Validator(const Config& config, Findings& findings) : config_(config), findings_(findings) {}

 protected:
  void error(const std::string& path, const std::string& text) { findings_.error(findings_.line_of(path), text); }
  void warn(const std::string& path, const std::string& text) { findings_.warning(findings_.line_of(path), text); }

  void check_regex(const std::string& where, const std::string& label, const std::string& pattern) {
    const std::string reason = regex_error(pattern);
    if (!reason.empty()) error(where, label + ": expected an RE2 expression, found " + quoted(pattern) + ": " + reason);
  }

  // "shop.example", "*.shop.example", "[2001:db8::1]".
  void check_host(const std::string& where, const std::string& label, const std::string& host) {
    const std::string name = host.starts_with("*.") ? host.substr(2) : host;
    const bool is_good = !name.empty() && name.find_first_of("*/ :") == std::string::npos && name.front() != '.' && name.back() != '.';
    const bool is_v6 = host.starts_with("[") && host.ends_with("]");
    if (is_good || is_v6) return;
    error(where, label + ": expected a name such as \"shop.example\" or \"*.shop.example\", without port, found " + quoted(host));
  }

  // No two entries of a section may have the same key.
  template <typename Section, typename KeyOf>
  void check_unique(const char* section, const Section& entries, const char* key, KeyOf key_of) {
    std::map<std::string, std::size_t> seen;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto [earlier, is_new] = seen.emplace(key_of(entries[i]), i);
      if (is_new) continue;
      error(at(section, i, key), "[[" + std::string(section) + "]] " + key + " " + quoted(earlier->first) +
                                     " is taken by line " +
                                     std::to_string(findings_.line_of(at(section, earlier->second, key))) +
                                     "; expected one of its own");
    }
  }

  // Names go into file names, log lines and certificates.
  template <typename Section>
  void check_section_names(const char* section, const Section& entries) {
    check_unique(section, entries, "name", [](const auto& entry) { return entry.name; });
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string& name = entries[i].name;
      const bool is_good = !name.empty() && name.size() <= 63 && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
      });
      if (!is_good) {
        error(at(section, i, "name"), "[[" + std::string(section) + "]] name " + quoted(name) +
                                          ": expected 1 to 63 letters, digits, '-', '_' or '.'");
      }
    }
  }

  template <typename Section>
  static std::vector<std::string> names_of(const Section& entries) {
    std::vector<std::string> names;
    for (const auto& entry : entries) names.push_back(entry.name);
    return names;
  }
  template <typename Section>
  void check_reference(const std::string& path, const std::string& label, const std::string& name,
                       const Section& entries) {
    const std::vector<std::string> names = names_of(entries);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      error(path, label + " " + quoted(name) + " does not exist" + suggest(name, names));
    }
  }

  const Config& config_;
  Findings& findings_;
};

void validate_affinity(const Config& config, Findings& findings);
void validate_site(const Config& config, Findings& findings);
void validate_bgp(const Config& config, Findings& findings);
void validate_discovery(const Config& config, Findings& findings);
void validate_http(const Config& config, Findings& findings);
void validate_health(const Config& config, Findings& findings);
void validate_protection(const Config& config, Findings& findings);
void validate_resilience(const Config& config, Findings& findings);
void validate_routes(const Config& config, Findings& findings);
void validate_matches(const Config& config, std::size_t route, Findings& findings);
void validate_reach(const Config& config, Findings& findings);
void validate_regexes(const Config& config, Findings& findings);
void validate_actions(const Config& config, Findings& findings);
void validate_service(const Config& config, Findings& findings);
void validate_tls(const Config& config, Findings& findings);

}  // namespace gatehouse::config
