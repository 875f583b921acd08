#include "common/prefix_list.h"

#include "common/list_file.h"

namespace gatehouse {
namespace {

constexpr std::size_t kMostBytes = 128 << 20;

}  // namespace

Result<std::vector<IpPrefix>> parse_prefix_list(std::string_view text, const std::string& file) {
  std::vector<IpPrefix> prefixes;
  const Status read = read_lines(text, file, [&prefixes](std::string_view line) {
    const auto prefix = IpPrefix::parse(line);
    if (prefix) prefixes.push_back(*prefix);
    return prefix ? std::string()
                  : "expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its "
                    "length, found " +
                        shown(line);
  });
  if (!read) return read.error();
  return prefixes;
}

Result<std::vector<IpPrefix>> load_prefix_list(const std::string& file) {
  const auto text = load_list_file(file, kMostBytes);
  if (!text) return text.error();
  return parse_prefix_list(*text, file);
}

}  // namespace gatehouse
