// The config of a BGP daemon that announces an L4 host's VIPs: what gatehouse-l4 puts on its interfaces, and
// nothing else; it takes no route from anybody and writes none to the kernel. Pure functions of the site's
// config, so that the same file gives the same text.
#pragma once

#include <string>

#include "common/config/announcement.h"

namespace gatehouse::cli {

// For BIRD 2. A whole bird.conf; `is_part`: what another one includes, without router id and `protocol
// device`.
std::string bird_config(const config::Config& config, const config::L4Host& host, bool is_part);
// For FRR 8: bgpd, bfdd and zebra.
std::string frr_config(const config::Config& config, const config::L4Host& host);

// The first line of either.
std::string config_title(const std::string& daemon, const config::Config& config, const config::L4Host& host);

}  // namespace gatehouse::cli
