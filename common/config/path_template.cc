// Walks template and path side by side, a segment at a time.
#include "common/config/path_template.h"

#include <algorithm>
#include <utility>

namespace gatehouse::config {
namespace {

// The next segment of "/a/b", without its slash.
std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);
  const std::size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

Result<PathTemplate::Segment> PathTemplate::parse_segment(std::string_view text) {
  if (text.find_first_of("{}") == std::string_view::npos) return Segment{std::string(text)};
  const bool is_whole = text.size() > 2 && text.front() == '{' && text.back() == '}';
  std::string_view name = is_whole ? text.substr(1, text.size() - 2) : std::string_view();
  const bool takes_rest = name.ends_with("...");
  if (takes_rest) name.remove_suffix(3);
  if (!is_name(name)) {
    return Error{"expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"" + std::string(text) + "\""};
  }
  return Segment{std::string(name), true, takes_rest};
}

Result<PathTemplate> PathTemplate::parse(std::string_view text) {
  if (!text.starts_with('/')) return Error{"expected a path that begins with '/'"};
  PathTemplate result;
  bool is_fixed = true;
  while (!text.empty()) {
    if (!result.segments_.empty() && result.segments_.back().takes_rest) return Error{"expected nothing behind {" + result.segments_.back().text + "...}"};
    auto segment = parse_segment(take_segment(text));
    if (!segment) return segment.error();
    const auto is_same = [&](const Segment& each) { return each.is_variable && segment->is_variable && each.text == segment->text; };
    if (std::any_of(result.segments_.begin(), result.segments_.end(), is_same)) return Error{"expected one {" + segment->text + "}"};
    is_fixed = is_fixed && !segment->is_variable;
    if (is_fixed) result.fixed_ += "/" + segment->text;
    result.segments_.push_back(std::move(*segment));
  }
  return result;
}

bool PathTemplate::takes(std::string_view path) const {
  for (const Segment& segment : segments_) {
    if (!path.starts_with('/')) return false;
    if (segment.takes_rest) return path.size() > 1;
    const std::string_view found = take_segment(path);
    if (segment.is_variable ? found.empty() : found != segment.text) return false;
  }
  return path.empty();
}

std::optional<std::string_view> PathTemplate::value(std::string_view path, std::string_view name) const {
  for (const Segment& segment : segments_) {
    const std::string_view rest = path.substr(1), found = take_segment(path);
    if (segment.is_variable && segment.text == name) return segment.takes_rest ? rest : found;
  }
  return std::nullopt;
}

std::size_t PathTemplate::literal_bytes() const {
  std::size_t bytes = 0;
  for (const Segment& segment : segments_) bytes += segment.is_variable ? 0 : segment.text.size() + 1;
  return bytes;
}

std::vector<std::string> PathTemplate::names() const {
  std::vector<std::string> names;
  for (const Segment& segment : segments_) {
    if (segment.is_variable) names.push_back(segment.text);
  }
  return names;
}

}  // namespace gatehouse::config
