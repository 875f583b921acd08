// The options of routes.
#pragma once

#include "common/config/field.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Route> = std::tuple{
    field("name", &Route::name, "Name of the route; default: that of its pool."),
    field("hosts", &Route::hosts, "Host names, exact or \"*.suffix\"; none: any."),
    field("path", &Route::path, "Exact path."),
    field("path_prefix", &Route::path_prefix, "Whole leading segments of the path: \"/api\" takes \"/api/x\", not \"/apix\"."),
    field("pool", &Route::pool, "Pool that answers.", kRequired),
    field("priority", &Route::priority, "Higher ones are tried first, before specificity.", kOptional, -1000, 1000),
    field("hsts", &Route::hsts, "Value of Strict-Transport-Security, in place of the listener's."),
    field("early_data", &Route::early_data, "Requests may be replayed safely: they are taken as TLS 1.3 early data (0-RTT), with Early-Data: 1."),
};

template <>
inline constexpr auto kFields<TlsRoute> = std::tuple{
    field("name", &TlsRoute::name, "Name of the route; default: that of its pool."),
    field("hosts", &TlsRoute::hosts, "Server names, exact or \"*.suffix\".", kRequired),
    field("pool", &TlsRoute::pool, "Pool whose backends get the connection.", kRequired),
};

}  // namespace gatehouse::config
