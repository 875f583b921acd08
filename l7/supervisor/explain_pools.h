// What `gatehouse explain` says of a route with several pools: their shares, and where the client's cookie
// puts it. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "common/config/model.h"
#include "l7/cookie_seal.h"
#include "l7/http/message.h"
#include "l7/supervisor/adjustments.h"

namespace gatehouse::l7 {

// Adds "pools", "pool" if the request says which one, and "sticky": why.
void explain_pools(nlohmann::json& answer, const config::Route& route, const http::Fields& fields,
                   const std::vector<ArmReport>& arms, const std::optional<CookieKeys>& keys);

}  // namespace gatehouse::l7
