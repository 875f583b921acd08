// Small files read and written whole.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace gatehouse {

// Errors name the file and why it cannot be read.
Result<std::string> read_file(const std::string& file);

// Durable and atomic: from the return on, and after any crash, the file is `text`; before that, or after an
// Error, it is what it was.
Status replace_file(const std::string& file, std::string_view text);
// Makes names that were given or taken in the folder of `file` durable.
Status sync_folder_of(const std::string& file);

}  // namespace gatehouse
