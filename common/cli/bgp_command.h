// `gatehouse bgp bird|frr`: which host of which config is meant, and the text for it.
#pragma once

#include <string>

#include "common/result.h"

namespace gatehouse::cli {

struct BgpRequest {
  std::string daemon;  // bird | frr
  std::string config_file;
  std::string host;  // empty: the only one that there is
  bool is_part = false;
};

// Errors are those of the config, and what the host lacks to announce anything.
Result<std::string> bgp_text(const BgpRequest& request);

}  // namespace gatehouse::cli
