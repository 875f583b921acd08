// One message to the service manager (sd_notify(3)), by the socket that it named in NOTIFY_SOCKET.
#pragma once

#include <string_view>
#include <vector>

namespace gatehouse {

// `assignments`: lines of NAME=VALUE. `descriptors`: kept open by the caller. False when there is no manager or it cannot be told.
bool notify(std::string_view assignments, const std::vector<int>& descriptors = {});

}  // namespace gatehouse
