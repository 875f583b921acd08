#include "tests/support/http_head.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace gatehouse::test {
namespace {

bool parse_number(std::string_view text, std::uint64_t& value, int base = 10) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool split_start_line(std::string_view line, std::string_view (&words)[3]) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const std::size_t second = line.find(' ', first + 1);
  words[0] = line.substr(0, first);
  words[1] = line.substr(first + 1, second == std::string_view::npos ? second : second - first - 1);
  words[2] = second == std::string_view::npos ? std::string_view() : line.substr(second + 1);
  return !words[0].empty() && !words[1].empty();
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

HeadState HttpHead::parse(std::string_view bytes) {
  const void* blank = memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
  if (!blank) return HeadState::kNeedMore;
  size = static_cast<std::size_t>(static_cast<const char*>(blank) - bytes.data()) + 4;
  fields.clear();
  has_content_length = is_chunked = says_close = false;
  content_length = 0;
  std::string_view rest = bytes.substr(0, size - 2);
  std::size_t end = rest.find("\r\n");
  if (!split_start_line(rest.substr(0, end), words)) return HeadState::kMalformed;
  for (rest.remove_prefix(end + 2); !rest.empty(); rest.remove_prefix(end + 2)) {
    end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return HeadState::kMalformed;
    const std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    fields.emplace_back(name, value);
    // The three names that matter here differ in length: one comparison per field at most.
    if (name.size() == 14 && equal_ignoring_case(name, "content-length")) {
      if (has_content_length || !parse_number(value, content_length)) return HeadState::kMalformed;
      has_content_length = true;
    } else if (name.size() == 17 && equal_ignoring_case(name, "transfer-encoding")) {
      is_chunked = equal_ignoring_case(value, "chunked");
      if (!is_chunked) return HeadState::kMalformed;
    } else if (name.size() == 10 && equal_ignoring_case(name, "connection")) {
      says_close |= equal_ignoring_case(value, "close");
    }
  }
  return is_chunked && has_content_length ? HeadState::kMalformed : HeadState::kDone;
}

std::string_view HttpHead::field(std::string_view name) const {
  for (const auto& [field_name, value] : fields) {
    if (equal_ignoring_case(field_name, name)) return value;
  }
  return {};
}

HeadState ChunkedReader::take_line() {
  const std::string_view line = std::string_view(line_).substr(0, line_.size() - 2);
  switch (part_) {
    case Part::kSize:
      if (!parse_number(trim(line.substr(0, line.find(';'))), left_, 16)) return HeadState::kMalformed;
      part_ = left_ == 0 ? Part::kTrailer : Part::kData;
      break;
    case Part::kDataEnd:
      if (!line.empty()) return HeadState::kMalformed;
      part_ = Part::kSize;
      break;
    case Part::kTrailer:
      if (line.empty()) return HeadState::kDone;
      break;
    case Part::kData:
      break;
  }
  line_.clear();
  return HeadState::kNeedMore;
}

HeadState ChunkedReader::next(std::string_view& bytes, std::string_view& data) {
  data = {};
  while (!bytes.empty()) {
    if (part_ == Part::kData) {
      data = bytes.substr(0, left_);
      bytes.remove_prefix(data.size());
      left_ -= data.size();
      if (left_ == 0) part_ = Part::kDataEnd;
      return HeadState::kNeedMore;
    }
    const std::size_t newline = bytes.find('\n');
    const std::size_t taken = newline == std::string_view::npos ? bytes.size() : newline + 1;
    line_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (line_.size() > 8192) return HeadState::kMalformed;
    if (line_.back() != '\n') return HeadState::kNeedMore;
    if (line_.size() < 2 || line_[line_.size() - 2] != '\r') return HeadState::kMalformed;
    if (const HeadState state = take_line(); state != HeadState::kNeedMore) return state;
  }
  return HeadState::kNeedMore;
}

}  // namespace gatehouse::test
