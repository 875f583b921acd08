// `gatehouse apply`, `rollback` and `history`: what is asked for from words, and text from what is answered.
// Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "common/cli/command_line.h"
#include "common/result.h"

namespace gatehouse::cli {

// The "apply" request for `text`, when `current` is what "version" answers of the config in use.
Result<nlohmann::json> apply_request(const Invocation& invocation, const std::string& text,
                                     const nlohmann::json& current);
Result<nlohmann::json> rollback_request(const Invocation& invocation);

// What "apply" and "rollback" answer. `is_whole`: every host has said that it agrees, or switched.
struct ChangeReport {
  std::string text;
  bool is_whole = true;
};
ChangeReport change_report(const nlohmann::json& answer, bool is_trial);

std::string history_report(const nlohmann::json& answer);

// Of the version with that number in a history: "in use", "watched", "taken back"; empty: it is not there.
std::string state_of_version(const nlohmann::json& history, double number);

}  // namespace gatehouse::cli
