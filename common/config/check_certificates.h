// What `gatehouse check` says of the certificates, keys and secrets that a config names. Warnings all: the
// host where a file is checked may not be the one where it is needed, and time passes for good files too.
#pragma once

#include <vector>

#include "common/config/load.h"

namespace gatehouse::config {

std::vector<Finding> check_certificates(const Loaded& loaded);

}  // namespace gatehouse::config
