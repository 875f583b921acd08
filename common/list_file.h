// Files with one entry to a line, as operators and programs write them; what follows '#' or ';' is a comment.
// Nothing here knows what the entries are.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace gatehouse {

// Calls take(line) for each line that says something, without comment and spaces around it. What it answers,
// unless it is empty, is wrong with the line. The Error names the first few bad lines, each as "file:line:
// what".
Status read_lines(std::string_view text, const std::string& file,
                  const std::function<std::string(std::string_view line)>& take);

// The text of a file that is no larger than `most`. Errors begin with "file:1: ".
Result<std::string> load_list_file(const std::string& file, std::size_t most);

// Of a foreign text in a message: short, in quotes, and without what a terminal would obey.
std::string shown(std::string_view text);

}  // namespace gatehouse
