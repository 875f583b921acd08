// What `gatehouse check` says of the files that list backends. Apart from the rules of validate(): the files
// are the nodes', other programs write them, and a config is valid where they are not.
#pragma once

#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

// A file that cannot be read here is warned of, and one with "none"; a bad line is an error.
std::vector<Finding> check_discovery(const Config& config);

}  // namespace gatehouse::config
