// Response heads: the same in one piece and in pieces; what is accepted points into the head, and its body
// length is known in one way only.
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
  ParseStatus status = ParseStatus::kNeedMore;
  std::size_t length = 0;
  std::string response;
  bool operator==(const Outcome&) const = default;
};

std::string describe(const Response& response) {
  std::string text = std::to_string(response.status) + std::string(response.reason) + "\n";
  for (const std::uint64_t number :
       {std::uint64_t{response.minor_version}, static_cast<std::uint64_t>(response.framing),
        response.content_length, std::uint64_t{response.is_keep_alive}}) {
    text.append(std::to_string(number)).append("\n");
  }
  for (const Field& field : response.fields.all())
    text.append(field.name).append(":").append(field.value).append("\n");
  return text;
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check_accepted(std::string_view head, std::string_view method, const Response& response,
                    const HeadLimits& limits) {
  const auto is_inside = [head](std::string_view part) {
    return part.empty() ||
           (part.data() >= head.data() && part.data() + part.size() <= head.data() + head.size());
  };
  GH_CHECK(is_inside(response.reason) && is_clean(response.reason));
  for (const Field& field : response.fields.all()) {
    GH_CHECK(is_inside(field.name) && is_clean(field.name) && !field.name.empty());
    GH_CHECK(is_inside(field.value) && is_clean(field.value));
  }
  GH_CHECK(response.status >= 100 && response.status <= 599 && response.minor_version <= 1);
  GH_CHECK(response.fields.all().size() <= limits.max_fields && head.size() <= limits.max_bytes);
  const bool has_length = response.fields.find("content-length"),
             has_coding = response.fields.find("transfer-encoding");
  GH_CHECK(!(has_length && has_coding));
  const bool has_no_body =
      method == "HEAD" || response.status < 200 || response.status == 204 || response.status == 304;
  if (has_no_body) GH_CHECK(response.framing == Framing::kNone);
  if (response.framing == Framing::kChunked) GH_CHECK(has_coding);
  if (response.framing == Framing::kLength) GH_CHECK(has_length && response.content_length > 0);
  if (response.framing == Framing::kUntilClose)
    GH_CHECK(!has_length && !has_coding && !response.is_keep_alive);
}

Outcome parse(std::string_view bytes, std::string_view method, const HeadLimits& limits,
              std::size_t& scanned) {
  Response response;
  const ParseResult result = parse_response(bytes, limits, scanned, method, response);
  if (result.status != ParseStatus::kDone) {
    GH_CHECK(result.status == ParseStatus::kNeedMore || *result.reason != '\0');
    return {result.status, 0, {}};
  }
  GH_CHECK(result.length <= bytes.size());
  check_accepted(bytes.substr(0, result.length), method, response, limits);
  return {result.status, result.length, describe(response)};
}

// Refused heads may differ in their reason where the limit is seen before the end of the head.
void check_split(std::string_view bytes, std::string_view method, const HeadLimits& limits,
                 std::size_t step) {
  std::size_t scanned = 0;
  const Outcome at_once = parse(bytes, method, limits, scanned);
  Outcome in_pieces;
  scanned = 0;
  for (std::size_t size = 0; in_pieces.status == ParseStatus::kNeedMore;
       size = std::min(size + step, bytes.size())) {
    const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    in_pieces = parse({copy.data(), copy.size()}, method, limits, scanned);
    if (size == bytes.size()) break;
  }
  GH_CHECK((at_once.status == ParseStatus::kDone) == (in_pieces.status == ParseStatus::kDone));
  GH_CHECK((at_once.status == ParseStatus::kNeedMore) == (in_pieces.status == ParseStatus::kNeedMore));
  if (at_once.status == ParseStatus::kDone || bytes.size() < limits.max_bytes) GH_CHECK(at_once == in_pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HeadLimits small = {.max_bytes = 96, .max_uri_bytes = 48, .max_fields = 3};
  for (const char* method : {"GET", "HEAD", "CONNECT"}) {
    for (const std::size_t step : {std::size_t{1}, size / 2 + 1}) {
      check_split(bytes, method, {}, step);
      check_split(bytes, method, small, step);
    }
  }
  return 0;
}
