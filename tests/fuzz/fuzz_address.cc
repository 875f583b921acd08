// Addresses, endpoints, durations and sizes as an operator or a peer writes them: what parses prints, and
// parses back equal.
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/check.h"
#include "common/units.h"

namespace {

using namespace gatehouse;

template <typename Parse>
void check_round_trip(std::string_view text, Parse parse) {
  const auto value = parse(text);
  if (!value) return;
  for (const char c : text) GH_CHECK(c > 0x20 && c < 0x7f);
  const std::string printed = to_string(*value);
  const auto again = parse(std::string_view(printed));
  GH_CHECK(again.has_value());
  GH_CHECK(*again == *value);
  GH_CHECK(to_string(*again) == printed);
}

void check_kernel_form(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint) return;
  sockaddr_storage storage;
  GH_CHECK(to_sockaddr(*endpoint, storage) <= sizeof storage);
  GH_CHECK(Endpoint::from_sockaddr(storage) == *endpoint);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_round_trip(text, IpAddress::parse);
  check_round_trip(text, IpPrefix::parse);
  check_round_trip(text, Endpoint::parse);
  check_round_trip(text, parse_duration);
  check_round_trip(text, parse_byte_size);
  check_kernel_form(text);
  return 0;
}
