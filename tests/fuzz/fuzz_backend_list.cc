// Files of backends: whatever parses prints, and parses back equal; whatever does not is answered with lines
// of the file.
#include <cstdint>
#include <string>

#include "common/backend_list.h"
#include "common/check.h"

namespace {

std::string print(const std::vector<gatehouse::config::Backend>& backends) {
  std::string text = backends.empty() ? "none\n" : "";
  for (const auto& backend : backends) {
    text += to_string(backend.address) + " weight=" + std::to_string(backend.weight) +
            (backend.backup ? " backup" : "") + "\n";
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto backends = parse_backend_list(text, "file");
  if (!backends) {
    GH_CHECK(backends.error().message.starts_with("file:"));
    for (const char c : backends.error().message) GH_CHECK((c >= 0x20 && c < 0x7f) || c == '\n');
    return 0;
  }
  for (const config::Backend& backend : *backends)
    GH_CHECK(backend.weight <= 10'000 && backend.address.port != 0);
  const std::string printed = print(*backends);
  const auto again = parse_backend_list(printed, "file");
  GH_CHECK(again.has_value() && print(*again) == printed);
  return 0;
}
