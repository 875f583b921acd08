// Reading of untrusted JSON.
#include "common/json_fields.h"

#include <cstdio>

namespace gatehouse {

Json parse_json(std::string_view text) { return Json::parse(text, nullptr, /*allow_exceptions=*/false); }

const Json& member(const Json& json, const char* key) {
  static const Json kAbsent;
  if (!json.is_object()) return kAbsent;
  const auto found = json.find(key);
  return found == json.end() ? kAbsent : *found;
}

const Json& list_member(const Json& json, const char* key) {
  static const Json kEmpty = Json::array();
  const Json& found = member(json, key);
  return found.is_array() ? found : kEmpty;
}

std::string text_of(const Json& value) {
  if (value.is_null()) return {};
  if (const auto* text = value.get_ptr<const Json::string_t*>()) return *text;
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string digest_of(const Json& value) {
  if (!value.is_number_integer()) return text_of(value);
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value.get<std::uint64_t>()));
  return text;
}

std::optional<double> number_of(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  return value.get<double>();
}

}  // namespace gatehouse
