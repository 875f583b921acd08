#include <algorithm>

#include "common/hex.h"
#include "l7/http/characters.h"
#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

constexpr std::uint8_t kMaxSizeDigits = 15;           // a chunk below 2^60 bytes
constexpr std::uint32_t kMaxLineBytes = 4 * 1024;     // of chunk extensions
constexpr std::uint32_t kMaxTrailerBytes = 16 * 1024;

}  // namespace

BodyReader::BodyReader(Framing framing, std::uint64_t content_length) {
  switch (framing) {
    case Framing::kNone: state_ = State::kDone; break;
    case Framing::kLength:
      state_ = content_length ? State::kLength : State::kDone;
      remaining_ = content_length;
      break;
    case Framing::kChunked: state_ = State::kChunkSize; break;
    case Framing::kUntilClose: state_ = State::kUntilClose; break;
  }
}

bool BodyReader::is_done() const { return state_ == State::kDone; }

bool BodyReader::finish_at_close() {
  if (state_ == State::kUntilClose) state_ = State::kDone;
  return state_ == State::kDone;
}

// One character of chunk framing (RFC 9112 §7.1); nullptr, or why it is refused.
const char* BodyReader::step_framing(char c) {
  switch (state_) {
    case State::kChunkSize:
      if (const int digit = hex_value(c); digit >= 0) {
        if (++size_digits_ > kMaxSizeDigits) return "chunk size too large";
        remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
        return nullptr;
      }
      if (size_digits_ == 0) return "chunk without a size";
      if (c == '\r') return enter(State::kChunkSizeEnd);
      [[fallthrough]];
    case State::kChunkSizeSpace:
      if (c == ';') return enter(State::kChunkExtension);
      if (c != ' ' && c != '\t') return "character not allowed in a chunk size";
      return ++line_bytes_ > kMaxLineBytes ? "chunk extension too long" : enter(State::kChunkSizeSpace);
    case State::kChunkExtension:
      if (++line_bytes_ > kMaxLineBytes) return "chunk extension too long";
      if (c == '\r') return enter(State::kChunkSizeEnd);
      return is_a(c, kValue) ? nullptr : "control character in a chunk extension";
    case State::kChunkSizeEnd:
      if (c != '\n') return "carriage return without line feed after a chunk size";
      return enter(remaining_ ? State::kChunkData : State::kTrailerStart);
    case State::kChunkDataEnd: return c == '\r' ? enter(State::kChunkDataLineFeed) : "chunk longer than its size";
    case State::kChunkDataLineFeed:
      size_digits_ = 0;
      return c == '\n' ? enter(State::kChunkSize) : "chunk longer than its size";
    default: return step_trailer(c);
  }
}

const char* BodyReader::step_trailer(char c) {
  if (++line_bytes_ > kMaxTrailerBytes) return "trailer section too large";
  switch (state_) {
    case State::kTrailerStart:
      if (c == '\r') return enter(State::kTrailerEnd);
      return is_a(c, kToken) ? enter(State::kTrailerName) : "character not allowed in a trailer field name";
    case State::kTrailerName:
      if (c == ':') return enter(State::kTrailerLine);
      return is_a(c, kToken) ? nullptr : "character not allowed in a trailer field name";
    case State::kTrailerLine:
      if (c == '\r') return enter(State::kTrailerLineEnd);
      return is_a(c, kValue) ? nullptr : "control character in a trailer field";
    case State::kTrailerLineEnd:
      return c == '\n' ? enter(State::kTrailerStart) : "carriage return without line feed in a trailer";
    default: return c == '\n' ? enter(State::kDone) : "carriage return without line feed in a trailer";
  }
}

const char* BodyReader::enter(State state) {
  if (state == State::kTrailerStart && state_ == State::kChunkSizeEnd) line_bytes_ = 0;
  if (state == State::kChunkSize) line_bytes_ = 0;
  state_ = state;
  return nullptr;
}

BodyReader::Step BodyReader::next(std::string_view bytes) {
  Step step;
  while (step.consumed < bytes.size() && state_ != State::kDone) {
    const std::string_view rest = bytes.substr(step.consumed);
    if (has_data_next()) {
      if (!step.data.empty()) break;
      step.data = take_data(rest);
      step.consumed += step.data.size();
      continue;
    }
    const bool is_trailer = state_ >= State::kTrailerStart;
    if (const char* reason = step_framing(rest.front())) {
      step.is_malformed = true;
      step.reason = reason;
      return step;
    }
    ++step.consumed;
    if (is_trailer) step.trailers = {rest.data() - step.trailers.size(), step.trailers.size() + 1};
  }
  return step;
}

bool BodyReader::has_data_next() const {
  return state_ == State::kLength || state_ == State::kUntilClose || state_ == State::kChunkData;
}

std::string_view BodyReader::take_data(std::string_view bytes) {
  if (state_ == State::kUntilClose) return bytes;
  const std::string_view data = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size())));
  remaining_ -= data.size();
  if (remaining_ == 0) state_ = state_ == State::kLength ? State::kDone : State::kChunkDataEnd;
  return data;
}

namespace {

bool is_forbidden_trailer(std::string_view name) {
  if (is_hop_by_hop(name, {})) return true;
  for (const std::string_view known : {"content-length", "host", "authorization", "content-encoding", "content-type",
                                       "content-range", "cache-control", "max-forwards", "set-cookie", "cookie"}) {
    if (equals_ignoring_case(name, known)) return true;
  }
  return false;
}

}  // namespace

void parse_trailers(std::string_view section, Fields& fields) {
  fields.clear();
  while (section.size() > 2) {
    const std::size_t end = section.find('\n');
    const std::string_view line = section.substr(0, end - 1);
    const std::size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (!is_forbidden_trailer(line.substr(0, colon))) fields.add({line.substr(0, colon), value});
    section.remove_prefix(end + 1);
  }
}

}  // namespace gatehouse::l7::http
