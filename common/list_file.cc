#include "common/list_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace gatehouse {
namespace {

constexpr int kMostErrors = 5;

std::string_view trimmed(std::string_view line) {
  line = line.substr(0, line.find_first_of("#;"));
  const std::size_t first = line.find_first_not_of(" \t\r");
  if (first == line.npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  std::string result(text.substr(0, kShown));
  std::replace_if(
      result.begin(), result.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return "\"" + result + (text.size() > kShown ? "..." : "") + "\"";
}

Status read_lines(std::string_view text, const std::string& file,
                  const std::function<std::string(std::string_view line)>& take) {
  std::string errors;
  int error_count = 0;
  std::size_t number = 1;
  for (std::size_t start = 0; start < text.size() && error_count < kMostErrors; ++number) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = trimmed(text.substr(start, end - start));
    start = end + 1;
    if (line.empty()) continue;
    const std::string wrong = take(line);
    if (!wrong.empty())
      errors += (error_count++ ? "\n" : "") + file + ":" + std::to_string(number) + ": " + wrong;
  }
  return error_count > 0 ? Status(Error{errors}) : Status();
}

Result<std::string> load_list_file(const std::string& file, std::size_t most) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return Error{file +
                 ":1: cannot read this file: " + (error ? error.message() : "it is not a regular file")};
  }
  const auto size = std::filesystem::file_size(file, error);
  if (error || size > most)
    return Error{file + ":1: larger than a list may be (" + std::to_string(most) + " bytes)"};
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return system_error(file + ":1: cannot read this file");
  std::string text(size, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

}  // namespace gatehouse
