// Files of prefixes: whatever parses prints, and parses back equal; whatever does not is answered with lines
// of the file.
#include <cstdint>
#include <string>

#include "common/check.h"
#include "common/prefix_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto prefixes = parse_prefix_list(text, "file");
  if (!prefixes) {
    GH_CHECK(prefixes.error().message.starts_with("file:"));
    for (const char c : prefixes.error().message) GH_CHECK((c >= 0x20 && c < 0x7f) || c == '\n');
    return 0;
  }
  std::string printed;
  for (const IpPrefix& prefix : *prefixes) {
    GH_CHECK(prefix.length <= 128 && prefix.contains(prefix.address));
    printed += to_string(prefix) + "\n";
  }
  const auto again = parse_prefix_list(printed, "file");
  GH_CHECK(again.has_value() && *again == *prefixes);
  return 0;
}
