// Reading JSON whose shape is not ours to trust: a field of another type counts as absent, nothing aborts.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

using Json = nlohmann::json;

// Discarded when `text` is no JSON. Out of line: the parser is a template, and slow to compile.
Json parse_json(std::string_view text);

// Null when `json` is no object or has no such field.
const Json& member(const Json& json, const char* key);
// An empty array instead of anything but an array.
const Json& list_member(const Json& json, const char* key);

// Strings as they are, null and absence as "", anything else as JSON.
std::string text_of(const Json& value);
// A digest may come as a number.
std::string digest_of(const Json& value);
std::optional<double> number_of(const Json& value);

}  // namespace gatehouse
