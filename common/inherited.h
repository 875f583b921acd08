// Descriptors that the service manager kept for this process through its last end (systemd's descriptor
// store, sd_listen_fds(3)): the way back of what notify("FDSTORE=1\nFDNAME=…", {fd}) handed over.
#pragma once

#include <map>
#include <string>

#include "common/fd.h"

namespace gatehouse {

// By name; of equal names the last one. Empty unless LISTEN_PID names this process. To be asked once, early:
// the environment says it to nobody afterwards, and what the caller does not take is closed. Descriptors
// without a name are called "unknown", as systemd does.
std::map<std::string, Fd> take_inherited_descriptors();

}  // namespace gatehouse
