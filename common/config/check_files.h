// What `gatehouse check` says of the files that responses come from and countries are known by. Apart from
// the rules of validate(): workers load a config too, and read no files.
#pragma once

#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

// Those that nodes would refuse the config for. What is in a database of countries only nodes look at.
std::vector<Finding> check_files(const Loaded& loaded);

}  // namespace gatehouse::config
