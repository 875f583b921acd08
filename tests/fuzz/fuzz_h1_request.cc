// Request heads: the same in one piece and in pieces; what is accepted points into the head, is free of what
// other parsers stumble over, and written anew parses as the same request.
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
  std::string request;
  bool operator==(const Outcome&) const = default;
};

std::string describe(const Request& request) {
  std::string text;
  for (const std::string_view part :
       {request.method, request.target, request.host, request.authority, request.path, request.query}) {
    text.append(part).append("\n");
  }
  for (const std::uint64_t number :
       {std::uint64_t{request.minor_version}, static_cast<std::uint64_t>(request.framing),
        request.content_length, std::uint64_t{request.is_keep_alive}, std::uint64_t{request.expects_continue},
        std::uint64_t{request.has_te_trailers}}) {
    text.append(std::to_string(number)).append("\n");
  }
  for (const Field& field : request.fields.all())
    text.append(field.name).append(":").append(field.value).append("\n");
  return text;
}

bool is_clean(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

void check_accepted(std::string_view head, const Request& request, const HeadLimits& limits) {
  const auto is_inside = [head](std::string_view part) {
    return part.empty() || part == "/" ||
           (part.data() >= head.data() && part.data() + part.size() <= head.data() + head.size());
  };
  for (const std::string_view part :
       {request.method, request.target, request.host, request.authority, request.path, request.query}) {
    GH_CHECK(is_inside(part) && is_clean(part) && part.find(' ') == std::string_view::npos);
  }
  for (const Field& field : request.fields.all()) {
    GH_CHECK(is_inside(field.name) && is_clean(field.name) && !field.name.empty());
    GH_CHECK(is_inside(field.value) && is_clean(field.value));
  }
  GH_CHECK(!request.method.empty() && request.minor_version <= 1);
  GH_CHECK(request.path.starts_with('/') || (request.path == "*" && request.method == "OPTIONS"));
  GH_CHECK(!request.host.empty() || request.minor_version == 0);
  GH_CHECK(request.target.size() <= limits.max_uri_bytes && head.size() <= limits.max_bytes);
  GH_CHECK(request.fields.all().size() <= limits.max_fields);
  const bool has_length = request.fields.find("content-length"),
             has_coding = request.fields.find("transfer-encoding");
  GH_CHECK(!(has_length && has_coding));
  GH_CHECK((request.framing == Framing::kChunked) == has_coding);
  GH_CHECK((request.framing == Framing::kLength) == (request.content_length != 0));
  GH_CHECK(request.framing != Framing::kUntilClose);
}

std::string write_anew(const Request& request) {
  std::string text;
  text.append(request.method).append(" ").append(request.target).append(" HTTP/1.");
  text.append(std::to_string(request.minor_version)).append("\r\n");
  for (const Field& field : request.fields.all())
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  return text + "\r\n";
}

Outcome parse(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned) {
  Request request;
  request.query = "of an earlier request";
  const ParseResult result = parse_request(bytes, limits, scanned, request);
  if (result.status != ParseStatus::kDone) {
    GH_CHECK(result.status == ParseStatus::kNeedMore || *result.reason != '\0');
    return {result.status, 0, {}};
  }
  GH_CHECK(result.length <= bytes.size());
  check_accepted(bytes.substr(0, result.length), request, limits);
  return {result.status, result.length, describe(request)};
}

void check_written_anew(std::string_view bytes) {
  Request request;
  std::size_t scanned = 0;
  if (parse_request(bytes, {}, scanned, request).status != ParseStatus::kDone) return;
  const HeadLimits wide = {.max_bytes = 1 << 20, .max_uri_bytes = 1 << 20, .max_fields = kMaxFields};
  const std::string text = write_anew(request);
  const Outcome again = parse(text, wide, scanned = 0);
  GH_CHECK(again.status == ParseStatus::kDone && again.length == text.size());
  GH_CHECK(again.request == describe(request));
}

// In pieces a limit may be seen earlier: before the end of the head, and before what else is wrong with it.
void check_split(std::string_view bytes, const HeadLimits& limits, std::size_t step) {
  std::size_t scanned = 0;
  const Outcome at_once = parse(bytes, limits, scanned);
  Outcome in_pieces;
  scanned = 0;
  for (std::size_t size = 0; in_pieces.status == ParseStatus::kNeedMore;
       size = std::min(size + step, bytes.size())) {
    const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    in_pieces = parse({copy.data(), copy.size()}, limits, scanned);
    if (size == bytes.size()) break;
  }
  const bool is_over =
      in_pieces.status == ParseStatus::kUriTooLong || in_pieces.status == ParseStatus::kFieldsTooLarge;
  if (at_once.status == ParseStatus::kDone || !is_over) GH_CHECK(at_once == in_pieces);
  if (bytes.size() < limits.max_uri_bytes) GH_CHECK(at_once == in_pieces);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const HeadLimits small = {.max_bytes = 192, .max_uri_bytes = 48, .max_fields = 4};
  for (const std::size_t step : {std::size_t{1}, 2 + size % 7, size / 2 + 1}) {
    check_split(bytes, {}, step);
    check_split(bytes, small, step);
  }
  check_written_anew(bytes);
  return 0;
}
