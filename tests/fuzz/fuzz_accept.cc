// An Accept field from anybody: nothing is read beyond it, and what we add to it is found.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/media_type.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto wanted = gatehouse::MediaType::parse("a/b;v=2");
  const std::vector<char> copy(data, data + size);  // a sanitizer sees every read beyond it
  const std::string_view accept(copy.data(), copy.size());
  const bool is_named = wanted->is_named_in(accept);
  const std::string first = "A/B;x;V=\"2\"," + std::string(accept);
  GH_CHECK(wanted->is_named_in(first));
  const std::string refused = "a/b;v=2;q=0.0," + std::string(accept);
  GH_CHECK(wanted->is_named_in(refused) == is_named);
  if (accept.find('/') == std::string_view::npos) GH_CHECK(!is_named);
  return 0;
}
