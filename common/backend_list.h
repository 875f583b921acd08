// Files that list the backends of a pool, one to a line:
//
//   192.0.2.7:8080
//   [2001:db8::7]:8080  weight=3     # of config::Backend
//   192.0.2.9:8080      backup
//
// A file that is being written must not pass for a shorter one: the last line has its end, and a file without
// a backend has the line "none".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/model_http.h"
#include "common/result.h"

namespace gatehouse {

// The backends by address. An Error names each bad line, the first few of them, as "file:line".
Result<std::vector<config::Backend>> parse_backend_list(std::string_view text, const std::string& file);
Result<std::vector<config::Backend>> load_backend_list(const std::string& file);

}  // namespace gatehouse
