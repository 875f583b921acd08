// What `gatehouse explain` says of a request that goes to a pool: which of several, by their shares and the
// client's cookie, and on what terms. Pure.
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

// Adds "timeouts", "retries" and "body": what holds for the request, be it the route's word, the pool's or
// the listener's.
void explain_terms(nlohmann::json& answer, const config::Route& route, const config::Pool& pool,
                   const config::Listener& listener);

}  // namespace gatehouse::l7
