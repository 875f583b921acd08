// Paths with segments that may be anything: "/users/{id}/files/{file...}". A variable is a whole segment, which is not
// empty; with "..." it is the last one and all that follows, slashes too. Parsed when a config is checked and again when
// it is compiled; what was checked parses.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace gatehouse::config {

class PathTemplate {
 public:
  // Errors say what was expected.
  static Result<PathTemplate> parse(std::string_view text);

  bool takes(std::string_view path) const;
  // What stands in `path`, which it takes, for the variable; a view of it. nullopt: there is no such variable.
  std::optional<std::string_view> value(std::string_view path, std::string_view name) const;

  // The segments before the first variable, each with the slash before it: every path that it takes begins so.
  const std::string& fixed() const { return fixed_; }
  std::size_t literal_bytes() const;
  std::vector<std::string> names() const;

 private:
  struct Segment {
    std::string text;  // or the variable's name
    bool is_variable = false;
    bool takes_rest = false;
  };
  static Result<Segment> parse_segment(std::string_view text);

  std::vector<Segment> segments_;
  std::string fixed_;
};

}  // namespace gatehouse::config
