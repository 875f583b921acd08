// A path from anybody, by rules that the first byte chooses: what comes out is never longer, is plain, and stays as
// it is when it comes again.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/path_rules.h"

using namespace gatehouse;

namespace {

constexpr const char* kDots[] = {"resolve", "refuse", "keep"};
constexpr const char* kEncoded[] = {"refuse", "decode", "keep"};
constexpr const char* kDoubled[] = {"merge", "refuse", "keep"};

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const config::PathRules chosen{kDots[data[0] % 3], kEncoded[data[0] / 3 % 3], kDoubled[data[0] / 9 % 3]};
  const l7::PathRules rules(chosen);
  const std::vector<char> copy(data + 1, data + size);  // a sanitizer sees every read beyond it
  std::string_view path(copy.data(), copy.size());
  std::string scratch, again;
  if (rules.apply(path, scratch)) return 0;
  GH_CHECK(path.size() <= copy.size());
  if (!path.starts_with('/')) {
    GH_CHECK(copy.empty() || copy[0] != '/');
    return 0;
  }
  const bool keeps_all = chosen.dot_segments == "keep" && chosen.encoded_slashes == "keep" && chosen.double_slashes == "keep";
  const std::string once(path);
  if (chosen.dot_segments != "keep") {
    GH_CHECK(!has(once + "/", "/./") && !has(once + "/", "/../") && !has(once, "/..;") && !has(once, "/.;"));
  }
  if (chosen.double_slashes != "keep") GH_CHECK(!has(once, "//"));
  if (chosen.encoded_slashes != "keep") GH_CHECK(!has(once, "\\") && !has(once, "%2f") && !has(once, "%2F") && !has(once, "%5c"));
  if (!keeps_all) GH_CHECK(!has(once, "%61") && !has(once, "%00"));
  path = once;
  GH_CHECK(!rules.apply(path, again) && path == once);
  return 0;
}
