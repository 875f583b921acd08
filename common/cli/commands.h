// The commands of `gatehouse`. Each prints its answer on standard output, what went wrong on standard error,
// and returns the exit code: 0 done, 1 refused or failed, 2 wrong usage.
#pragma once

#include <span>

#include "common/cli/command_line.h"

namespace gatehouse::cli {

std::span<const Command> commands();

}  // namespace gatehouse::cli
