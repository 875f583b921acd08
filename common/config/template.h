// Texts of routes with variables: "https://{host}{path}", "{path.id}" of a path_template with {id}, or a
// path_regex with (?P<id>...). `{{` stands for `{`. Parsed when a config is checked and again when
// it is compiled; what was checked parses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"

namespace gatehouse::config {

enum class Variable : std::uint8_t { kClientAddress, kClientCountry, kRequestId, kRoute, kSni, kScheme, kHost, kPath, kQuery, kSegment };
// Whether it is of the request itself, and so gone when the response is there.
constexpr bool is_of_request(Variable variable) { return variable >= Variable::kHost; }

struct TemplatePart {
  std::string text;  // or
  std::optional<Variable> variable;  // kSegment: the variable of the path template that is named by the text
};

Result<std::vector<TemplatePart>> parse_template(std::string_view text);

}  // namespace gatehouse::config
