#include "common/backend_list.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "common/list_file.h"

namespace gatehouse {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;
constexpr std::string_view kNone = "none";

// Takes the next word off the front.
std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

bool parse_weight(std::string_view digits, std::uint32_t& weight) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), weight);
  return error == std::errc() && !digits.empty() && end == digits.data() + digits.size() &&
         weight <= config::kMostBackendWeight;
}

// Empty, or what is wrong with the line.
std::string parse_line(std::string_view line, config::Backend& backend) {
  constexpr std::string_view kWeight = "weight=";
  const std::string_view address = next_word(line);
  const auto endpoint = Endpoint::parse(address);
  if (!endpoint || endpoint->port == 0) {
    return "expected address:port such as 192.0.2.7:80 or [2001:db8::7]:80, found " + shown(address);
  }
  backend.address = *endpoint;
  for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
    if (word == "backup") {
      backend.backup = true;
    } else if (!word.starts_with(kWeight) || !parse_weight(word.substr(kWeight.size()), backend.weight)) {
      return "expected weight=N, from 0 to " + std::to_string(config::kMostBackendWeight) + ", or backup, found " +
             shown(word);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<config::Backend>> parse_backend_list(std::string_view text, const std::string& file) {
  std::map<Endpoint, config::Backend> found;
  bool says_none = false;
  const Status read = read_lines(text, file, [&](std::string_view line) -> std::string {
    if (line == kNone) return says_none = true, "";
    config::Backend backend;
    const std::string wrong = parse_line(line, backend);
    if (!wrong.empty()) return wrong;
    if (!found.emplace(backend.address, backend).second)
      return to_string(backend.address) + " is there twice";
    if (found.size() > config::kMostDiscovered)
      return "expected at most " + std::to_string(config::kMostDiscovered) + " backends";
    return {};
  });
  if (!read) return read.error();
  const std::string last = file + ":" + std::to_string(1 + std::count(text.begin(), text.end(), '\n')) + ": ";
  if (!text.empty() && text.back() != '\n')
    return Error{last + "the last line has no end: the file may be cut short"};
  if (found.empty() && !says_none) return Error{last + "expected a backend, or the line \"none\""};
  if (!found.empty() && says_none) return Error{last + "expected no backends beside the line \"none\""};
  std::vector<config::Backend> backends;
  for (const auto& [address, backend] : found) backends.push_back(backend);
  return backends;
}

Result<std::vector<config::Backend>> load_backend_list(const std::string& file) {
  const auto text = load_list_file(file, kMostBytes);
  if (!text) return text.error();
  return parse_backend_list(*text, file);
}

}  // namespace gatehouse
