// Numbers are checked here for their form, by the node for their range.
#include "common/cli/adjust_command.h"

#include <charconv>
#include <cstdint>

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

// null: "config".
Result<Json> parse_weight(const std::string& text) {
  if (text == "config") return Json();
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size())
    return Error{"\"" + text +
                 "\" is no weight: expected a number such as 5, or \"config\" for the config's"};
  return Json(number);
}

}  // namespace

Result<Json> weight_request(const std::vector<std::string>& words) {
  auto weight = parse_weight(words[2]);
  if (!weight) return weight.error();
  return Json{{"route", words[0]}, {"pool", words[1]}, {"weight", std::move(*weight)}};
}

}  // namespace gatehouse::cli
