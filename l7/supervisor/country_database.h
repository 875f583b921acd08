// Reads a database in MaxMind's format (GeoLite2-Country and its like, by libmaxminddb) into the table that
// workers use. All of it is walked, so that a damaged one is known before it is used.
#pragma once

#include <string_view>

#include "common/result.h"
#include "l7/country_table.h"

namespace gatehouse::l7 {

// Errors say what is wrong with the bytes.
Result<CountryTable> read_countries(std::string_view bytes);

}  // namespace gatehouse::l7
