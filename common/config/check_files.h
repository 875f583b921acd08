// What `gatehouse check` says of the files that responses come from. Apart from
// the rules of validate(): workers load a config too, and read no files.
#pragma once

#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

// Those that nodes would refuse the config for.
std::vector<Finding> check_files(const Loaded& loaded);

}  // namespace gatehouse::config
