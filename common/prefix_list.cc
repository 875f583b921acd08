#include "common/prefix_list.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace gatehouse {
namespace {

constexpr std::size_t kMostBytes = 128 << 20;
constexpr int kMostErrors = 5;

// Of a foreign text in a message: short, and without what a terminal would obey.
std::string quoted(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string shown(text.substr(0, kShown));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return "\"" + shown + (text.size() > kShown ? "..." : "") + "\"";
}

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find_first_of("#;"));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Result<std::vector<IpPrefix>> parse_prefix_list(std::string_view text, const std::string& file) {
  std::vector<IpPrefix> prefixes;
  std::string errors;
  int error_count = 0;
  std::size_t number = 1;
  for (std::size_t start = 0; start < text.size() && error_count < kMostErrors; ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = trimmed(text.substr(start, end - start));
    start = end + 1;
    if (line.empty()) continue;
    if (const auto prefix = IpPrefix::parse(line)) {
      prefixes.push_back(*prefix);
      continue;
    }
    errors +=
        (error_count++ ? "\n" : "") + file + ":" + std::to_string(number) +
        ": expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length, found " +
        quoted(line);
  }
  if (error_count > 0) return Error{errors};
  return prefixes;
}

Result<std::vector<IpPrefix>> load_prefix_list(const std::string& file) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return Error{file +
                 ":1: cannot read this file: " + (error ? error.message() : "it is not a regular file")};
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error || size > kMostBytes)
    return Error{file + ":1: larger than a list may be (" + std::to_string(kMostBytes) + " bytes)"};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return system_error(file + ":1: cannot read this file");
  std::string text(size, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return parse_prefix_list(text, file);
}

}  // namespace gatehouse
