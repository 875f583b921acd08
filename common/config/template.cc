// Splits a template at its braces.
#include "common/config/template.h"

#include <algorithm>

#include "common/config/findings.h"

namespace gatehouse::config {
namespace {

const std::vector<std::string> kNames = {"client_address", "client.country", "request_id", "route", "sni", "scheme", "host", "path", "query"};

}  // namespace

Result<std::vector<TemplatePart>> parse_template(std::string_view text) {
  std::vector<TemplatePart> parts;
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) parts.push_back({std::exchange(literal, {}), std::nullopt});
  };
  while (!text.empty()) {
    const bool is_brace = text.starts_with("{{");
    if (is_brace || text.front() != '{') {
      literal += text.front();
      text.remove_prefix(is_brace ? 2 : 1);
      continue;
    }
    const std::size_t end = text.find('}');
    if (end == std::string_view::npos) return Error{"'{' without '}': expected a variable such as {host}, or {{ for a brace"};
    const std::string name(text.substr(1, end - 1));
    if (constexpr std::string_view kOfPath = "path."; name.starts_with(kOfPath)) {
      end_literal();
      parts.push_back({name.substr(kOfPath.size()), Variable::kSegment});
      text.remove_prefix(end + 1);
      continue;
    }
    const auto known = std::find(kNames.begin(), kNames.end(), name);
    if (known == kNames.end()) return Error{"unknown variable {" + name + "}" + suggest(name, kNames)};
    end_literal();
    parts.push_back({"", static_cast<Variable>(known - kNames.begin())});
    text.remove_prefix(end + 1);
  }
  end_literal();
  return parts;
}

}  // namespace gatehouse::config
