// Whose request it is when trusted proxies stand between: the last address of X-Forwarded-For that is none of theirs. What
// comes before it was said by that client, and is not believed.
#pragma once

#include <span>

#include "common/address.h"
#include "l7/http/message.h"

namespace gatehouse::l7 {

// `peer` is one of `trusted`. An entry that is no address ends the walk: the last one that was believed is the answer.
IpAddress true_client(const IpAddress& peer, const http::Fields& fields, std::span<const IpPrefix> trusted);

}  // namespace gatehouse::l7
