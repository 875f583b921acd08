// Parts of a request's target, for every version of HTTP: views into it.
#pragma once

#include <string_view>

#include "l7/http/message.h"

namespace gatehouse::l7::http {

// authority = host [ ":" port ], RFC 9110 §4.2.3: no user information. Yields the host without port.
bool parse_authority(std::string_view authority, std::string_view& host);
// Path and query of a target that begins with a path.
void split_path(std::string_view target, Request& request);

}  // namespace gatehouse::l7::http
