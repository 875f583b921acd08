// `gatehouse upgrade`, `scale` and `events`: what becomes, and what has become, of a host while it serves.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/cli/command_line.h"

namespace gatehouse::cli {

int upgrade(const Invocation& invocation);
int scale(const Invocation& invocation);
int events(const Invocation& invocation);
std::string events_report(const nlohmann::json& answer);

}  // namespace gatehouse::cli
