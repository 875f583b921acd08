// Files that list prefixes: one to a line; what follows '#' or ';' is a comment, which is what public lists
// of networks look like. Nothing here knows what the prefixes are wanted for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/result.h"

namespace gatehouse {

// The prefixes of a list's text in its order, repeated ones too. An Error names each bad line, the first few
// of them, as "file:line".
Result<std::vector<IpPrefix>> parse_prefix_list(std::string_view text, const std::string& file);
Result<std::vector<IpPrefix>> load_prefix_list(const std::string& file);

}  // namespace gatehouse
