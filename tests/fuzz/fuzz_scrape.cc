// What a Prometheus server asks: an answer is decided by the head alone, at its end and never before, however
// it comes.
#include <cstdint>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "common/metrics/metrics_server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gatehouse::metrics::Ask;
  using gatehouse::metrics::parse_ask;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Ask whole = parse_ask(bytes);
  const std::size_t end = bytes.find("\r\n\r\n");
  GH_CHECK((whole == Ask::kNeedMore) == (end == std::string_view::npos));
  if (whole == Ask::kNeedMore) return 0;
  const std::vector<char> head(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(end) + 4);
  GH_CHECK(parse_ask({head.data(), head.size()}) == whole);
  GH_CHECK(parse_ask({head.data(), head.size() - 1}) == Ask::kNeedMore);
  return 0;
}
