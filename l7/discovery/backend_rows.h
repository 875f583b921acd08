// Backends in a message, and in a file of our own: [["192.0.2.7:80", 1, false, "hall-a"], …]: address, weight,
// backup, and the zone where there is one.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "common/config/model_http.h"

namespace gatehouse::l7 {

nlohmann::json backend_rows(std::span<const config::Backend> backends);
// nullopt: it is none.
std::optional<std::vector<config::Backend>> backends_from(const nlohmann::json& rows);

}  // namespace gatehouse::l7
