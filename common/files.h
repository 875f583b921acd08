// Small files read whole.
#pragma once

#include <string>

#include "common/result.h"

namespace gatehouse {

// Errors name the file and why it cannot be read.
Result<std::string> read_file(const std::string& file);

}  // namespace gatehouse
