// The command line's manual page and its completion for bash, made of the table that is parsed: see
// command_line.h.
#pragma once

#include <span>
#include <string>

#include "common/cli/command_line.h"

namespace gatehouse::cli {

std::string manual_page(std::span<const Command> commands);
std::string bash_completion(std::span<const Command> commands);

}  // namespace gatehouse::cli
