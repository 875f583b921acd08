// Bodies: the same octets, end and refusal in one piece and in pieces, for every framing.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/check.h"
#include "l7/http/h1_parser.h"

namespace {

using namespace gatehouse::l7::http;

struct Outcome {
  std::string data;
  std::size_t consumed = 0;
  bool is_done = false;
  bool is_malformed = false;
  bool ends_well = false;  // when the peer closes here
  bool operator==(const Outcome&) const = default;
};

void feed(BodyReader& reader, std::string_view piece, Outcome& outcome) {
  const std::vector<char> copy(piece.begin(), piece.end());
  std::string_view rest(copy.data(), copy.size());
  while (!rest.empty() && !reader.is_done() && !outcome.is_malformed) {
    const BodyReader::Step step = reader.next(rest);
    GH_CHECK(step.consumed <= rest.size());
    GH_CHECK(step.data.empty() || (step.data.data() >= rest.data() &&
                                   step.data.data() + step.data.size() <= rest.data() + step.consumed));
    GH_CHECK(step.consumed > 0 || step.is_malformed);
    GH_CHECK(!step.is_malformed || *step.reason != '\0');
    outcome.data.append(step.data);
    outcome.consumed += step.consumed;
    outcome.is_malformed = step.is_malformed;
    rest.remove_prefix(step.consumed);
  }
}

Outcome read(BodyReader reader, std::string_view bytes, std::size_t step) {
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size(); at += step) feed(reader, bytes.substr(at, step), outcome);
  outcome.is_done = reader.is_done();
  outcome.ends_well = reader.finish_at_close();
  GH_CHECK(!outcome.is_done || outcome.ends_well);
  GH_CHECK(!outcome.is_done || !outcome.is_malformed);
  return outcome;
}

void check(const BodyReader& reader, std::string_view bytes) {
  const Outcome at_once = read(reader, bytes, bytes.size() + 1);
  GH_CHECK(at_once.consumed <= bytes.size() && at_once.data.size() <= at_once.consumed);
  GH_CHECK(at_once.is_done || at_once.is_malformed || at_once.consumed == bytes.size());
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{2}, 3 + bytes.size() % 5, bytes.size() / 2 + 1}) {
    GH_CHECK(read(reader, bytes, step) == at_once);
  }
  // Nothing after the end has a say in it, and nothing before the end is one.
  if (!at_once.is_done || at_once.consumed == 0) return;
  GH_CHECK(read(reader, bytes.substr(0, at_once.consumed), bytes.size()) == at_once);
  GH_CHECK(!read(reader, bytes.substr(0, at_once.consumed - 1), bytes.size()).is_done);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check({Framing::kChunked, 0}, bytes);
  check({Framing::kUntilClose, 0}, bytes);
  check({Framing::kLength, 7}, bytes);
  check({Framing::kNone, 0}, bytes);
  return 0;
}
