// Reading JSON whose shape is not ours to trust: a field of another type counts as absent, nothing aborts.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace gatehouse {

using Json = nlohmann::json;

// Null when `json` is no object or has no such field.
const Json& member(const Json& json, const char* key);
const Json& list_member(const Json& json,
                        const char* key);  // an empty array instead of anything but an array

// Strings as they are, null and absence as "", anything else as JSON.
std::string text_of(const Json& value);
// A digest may come as a number.
std::string digest_of(const Json& value);
std::optional<double> number_of(const Json& value);

}  // namespace gatehouse
