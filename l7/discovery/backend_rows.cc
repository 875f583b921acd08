#include "l7/discovery/backend_rows.h"

namespace gatehouse::l7 {

using Json = nlohmann::json;

Json backend_rows(std::span<const config::Backend> backends) {
  Json rows = Json::array();
  for (const config::Backend& backend : backends) {
    Json row = {to_string(backend.address), backend.weight, backend.backup};
    if (!backend.zone.empty()) row.push_back(backend.zone);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::optional<std::vector<config::Backend>> backends_from(const Json& rows) {
  if (!rows.is_array()) return std::nullopt;
  std::vector<config::Backend> backends;
  for (const Json& row : rows) {
    const bool has_zone = row.is_array() && row.size() == 4 && row[3].is_string();
    const bool is_row = row.is_array() && (row.size() == 3 || has_zone) && row[0].is_string() &&
                        row[1].is_number_unsigned() && row[2].is_boolean();
    const auto address = is_row ? Endpoint::parse(row[0].get<std::string>()) : std::nullopt;
    if (!address) return std::nullopt;
    backends.push_back({.address = *address,
                        .weight = row[1].get<std::uint32_t>(),
                        .backup = row[2].get<bool>(),
                        .zone = has_zone ? row[3].get<std::string>() : std::string()});
  }
  return backends;
}

}  // namespace gatehouse::l7
