// A database of countries from anybody: it is refused with a reason, or is a table that answers for every
// address.
#include <cstdint>
#include <string_view>

#include "common/check.h"
#include "l7/supervisor/country_database.h"

using namespace gatehouse;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto table = l7::read_countries({reinterpret_cast<const char*>(data), size});
  if (!table) {
    GH_CHECK(!table.error().message.empty());
    return 0;
  }
  for (const char* address :
       {"0.0.0.0", "192.0.2.1", "198.51.100.200", "255.255.255.255", "::", "2001:db8::1", "ffff::"}) {
    const std::string_view country = table->find(*IpAddress::parse(address)).view();
    GH_CHECK(country.empty() || country.size() == 2);
  }
  GH_CHECK(l7::CountryTable::from_bytes(table->to_bytes()).size() == table->size());
  return 0;
}
