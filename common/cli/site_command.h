// `gatehouse upgrade`: what becomes of a host's processes while it serves.
#pragma once

#include "common/cli/command_line.h"

namespace gatehouse::cli {

int upgrade(const Invocation& invocation);

}  // namespace gatehouse::cli
