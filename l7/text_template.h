// Texts of a route with variables, and what these stand for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/template.h"
#include "l7/http/message.h"
#include "l7/matched_path.h"

namespace gatehouse::l7 {

// What variables stand for. Those of the request are empty once its head is gone.
struct RouteFacts {
  std::string_view client_address, client_country, request_id, route, sni, scheme, host, path;
  std::string_view query;  // with its '?'
  static std::string_view query_of(const http::Request& request);

  const MatchedPath* matched = nullptr;  // by the match that took the request
  CapturingRegex::Groups groups{};       // of its path

  std::string_view value(const config::TemplatePart& part) const;  // of one with a variable
};

class Template {
 public:
  explicit Template(std::string_view text);  // that the config's check let through
  std::size_t size(const RouteFacts& facts) const;
  void append(const RouteFacts& facts, std::string& out) const;
  // As a value of a query: a part of the path is encoded already, anything else is not.
  void append_encoded(const RouteFacts& facts, std::string& out) const;
  bool has(config::Variable variable) const;

 private:
  std::vector<config::TemplatePart> parts_;
};

// Whether "%2F" is three characters, or stands for one.
enum class Escapes { kAreText, kAreKept };
void append_encoded(std::string_view text, Escapes escapes, std::string& out);

}  // namespace gatehouse::l7
