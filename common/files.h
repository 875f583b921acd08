// Small files read and written whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"

namespace gatehouse {

// Errors name the file and why it cannot be read.
Result<std::string> read_file(const std::string& file);
// nullopt: there is no such file.
Result<std::optional<std::string>> read_file_if_any(const std::string& file);

// Atomic: the file is `text` or, after an Error, what it was, never a part. Readable by its owner only.
//   kDurable  from the return on it is `text` after any crash
//   kLater    a crash of the host may bring back what it was; costs no wait for the disk
enum class Sync { kDurable, kLater };
Status replace_file(const std::string& file, std::string_view text, Sync sync = Sync::kDurable);
// Makes names that were given or taken in the folder of `file` durable.
Status sync_folder_of(const std::string& file);

// Another text whenever the file has been written or replaced; empty: it is not there.
std::string state_of_file(const std::string& file);

}  // namespace gatehouse
