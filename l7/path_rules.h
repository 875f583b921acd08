// What becomes of paths that two servers could read in two ways: dot segments, encoded and double slashes, escapes
// of characters that need none (RFC 3986 §5.2.4, §6.2.2). Routes, rewrites, redirects and backends see what comes
// out, so that nobody gets behind a route by writing its path another way.
//
// A path without '%', '\', "//" and "/." passes in one look, sixteen bytes at a time.
#pragma once

#include <string>
#include <string_view>

#include "common/config/model.h"

namespace gatehouse::l7 {

enum class PathRule : std::uint8_t {
  kKeep,
  kChange,  // to the plain form: resolved, merged, decoded
  kRefuse,
};

class PathRules {
 public:
  PathRules() = default;  // those of a listener that says nothing
  explicit PathRules(const config::PathRules& rules);

  // Makes `path` what it stands for; where that is not what came it is a view of `scratch`, never longer than what
  // came. nullptr, or why it is refused; then `path` is as it was.
  const char* apply(std::string_view& path, std::string& scratch) const;

 private:
  const char* decode(std::string_view path, std::string& out) const;
  const char* look_for_dots(std::string_view path) const;
  const char* resolve(std::string& path) const;

  PathRule dot_segments_ = PathRule::kChange;
  PathRule encoded_slashes_ = PathRule::kRefuse;
  PathRule double_slashes_ = PathRule::kChange;
  bool is_off_ = false;  // everything is kept
};

}  // namespace gatehouse::l7
