// What `gatehouse check` says of the files that prefix lists name. Apart from the rules of validate(): the
// files are the L4 hosts', and a config must be valid where they are not.
#pragma once

#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

// A file that cannot be read is warned of; a line in it that is no prefix, and more prefixes than there is
// room for, are errors.
std::vector<Finding> check_prefix_lists(const Config& config);

}  // namespace gatehouse::config
