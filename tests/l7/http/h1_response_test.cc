// Response heads (RFC 9112 §4, §6.3): every row is parsed at once and byte by byte, and must come out the
// same.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

using namespace std::string_literals;

struct Outcome {
  ParseStatus status = ParseStatus::kNeedMore;
  std::string text;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "status " << static_cast<int>(outcome.status) << ": " << outcome.text;
}

std::string describe(const Response& response) {
  std::string text = std::to_string(response.status) + "|" + std::string(response.reason) + "|";
  for (const std::uint64_t number :
       {std::uint64_t{response.minor_version}, static_cast<std::uint64_t>(response.framing),
        response.content_length, std::uint64_t{response.is_keep_alive}}) {
    text.append(std::to_string(number)).append("|");
  }
  for (const Field& field : response.fields.all())
    text.append(field.name).append("=").append(field.value).append("|");
  return text;
}

// Parses a copy that ends exactly where `bytes` does, so that a sanitizer sees every read beyond it.
Outcome parse_copy(std::string_view bytes, std::string_view method, std::size_t& scanned) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  Response response;
  const ParseResult result = parse_response({copy.data(), copy.size()}, {}, scanned, method, response);
  if (result.status != ParseStatus::kDone) return {result.status, result.reason};
  return {result.status, std::to_string(result.length) + "|" + describe(response)};
}

ParseStatus status_of(std::string_view bytes, std::string_view method = "GET") {
  std::size_t scanned = 0;
  const Outcome at_once = parse_copy(bytes, method, scanned);
  Outcome in_pieces;
  scanned = 0;
  for (std::size_t size = 0; size <= bytes.size() && in_pieces.status == ParseStatus::kNeedMore; ++size) {
    in_pieces = parse_copy(bytes.substr(0, size), method, scanned);
  }
  EXPECT_EQ(in_pieces, at_once) << bytes;
  return at_once.status;
}

Response parse_good(std::string_view bytes, std::string_view method = "GET") {
  EXPECT_EQ(status_of(bytes, method), ParseStatus::kDone) << bytes;
  std::size_t scanned = 0;
  Response response;
  const ParseResult result = parse_response(bytes, {}, scanned, method, response);
  EXPECT_EQ(result.status, ParseStatus::kDone) << result.reason << " in " << bytes;
  EXPECT_EQ(result.length, bytes.size());
  return response;
}

std::string with_fields(const std::string& fields, const std::string& line = "HTTP/1.1 200 OK") {
  return line + "\r\n" + fields + "\r\n";
}

TEST(H1Response, TakesAWholeHeadApart) {
  const std::string text =
      "HTTP/1.1 404 Not Found\r\nServer: x\r\nSet-Cookie: a=1\r\nset-cookie:\tb=2 \r\nE:\r\n\r\n";
  EXPECT_EQ(describe(parse_good(text)), "404|Not Found|1|3|0|0|Server=x|Set-Cookie=a=1|set-cookie=b=2|E=|");
}

TEST(H1Response, ReadsTheStatusLine) {
  struct Row {
    std::string line;
    ParseStatus status;
    int code = 0;
    std::string reason = "";
  };
  const auto bad = ParseStatus::kMalformed, good = ParseStatus::kDone;
  const Row rows[] = {
      {"HTTP/1.1 200 OK", good, 200, "OK"},
      {"HTTP/1.1 200 ", good, 200},
      {"HTTP/1.1 200", good, 200},
      {"HTTP/1.1 200  two  spaces ", good, 200, " two  spaces "},
      {"HTTP/1.1 200 \xe2\x9c\x93\tfine", good, 200, "\xe2\x9c\x93\tfine"},
      {"HTTP/1.0 100 Continue", good, 100, "Continue"},
      {"HTTP/1.1 599 x", good, 599, "x"},
      {"HTTP/1.2 204 x", good, 204, "x"},
      {"HTTP/2.0 200 OK", ParseStatus::kVersionNotSupported},
      {"HTTP/0.9 200 OK", ParseStatus::kVersionNotSupported},
      {"HTTP/1.1 099 x", bad},
      {"HTTP/1.1 600 x", bad},
      {"HTTP/1.1 999 x", bad},
      {"HTTP/1.1 000 x", bad},
      {"HTTP/1.1 20 x", bad},
      {"HTTP/1.1 2 x", bad},
      {"HTTP/1.1 2000 x", bad},
      {"HTTP/1.1 20x OK", bad},
      {"HTTP/1.1 200OK", bad},
      {"HTTP/1.1 200\tOK", bad},
      {"HTTP/1.1\t200 OK", bad},
      {"HTTP/1.1  200 OK", bad},
      {"HTTP/1.1 +20 x", bad},
      {"HTTP/1.1 -20 x", bad},
      {"HTTP/1.1 0x2 x", bad},
      {"HTTP/1.1 OK", bad},
      {"HTTP/1.1", bad},
      {"HTTP/1.1 ", bad},
      {"HTTP/1.1 20", bad},
      {"", bad},
      {"H", bad},
      {"OK", bad},
      {"http/1.1 200 OK", bad},
      {"ICY 200 OK", bad},
      {"HTTP/1 200 OK", bad},
      {"HTTP/1.10 200 OK", bad},
      {" HTTP/1.1 200 OK", bad},
      {"HTTP/1.1 200 a\0b"s, bad},
      {"HTTP/1.1 200 a\rb", bad},
      {"HTTP/1.1 200 a\x7f", bad},
      {"HTTP/1.1 200 OK\r", bad},
      {"HTTP/1.1 200 a\x1b[2J", bad},
      {"<!doctype html><title>an answer of HTTP/0.9</title>", bad},
  };
  for (const Row& row : rows) {
    const std::string text = with_fields("Content-Length: 0\r\n", row.line);
    EXPECT_EQ(status_of(text), row.status) << row.line;
    if (row.status != good) continue;
    const Response response = parse_good(text);
    EXPECT_EQ(response.status, row.code) << row.line;
    EXPECT_EQ(response.reason, row.reason) << row.line;
  }
}

TEST(H1Response, RefusesBrokenLinesAndFields) {
  const std::string heads[] = {
      "\r\nHTTP/1.1 200 OK\r\n\r\n",
      "\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\n\n",
      "HTTP/1.1 200 OK\r\n\n",
      "HTTP/1.1 200 OK\r\nX: 1\n\r\n",
      with_fields("X : 1\r\n"),
      with_fields(" X: 1\r\n"),
      with_fields("X: 1\r\n folded\r\n"),
      with_fields("X: 1\r\n\tfolded\r\n"),
      with_fields(": 1\r\n"),
      with_fields("X\r\n"),
      with_fields("X: a\0\r\n"s),
      with_fields("X\0: a\r\n"s),
      with_fields("X: a\rb\r\n"),
      with_fields("X: a\r\r\n"),
      with_fields("X: a\x7f\r\n"),
      with_fields("X(: a\r\n"),
      with_fields("Set-Cookie: a=\x01\r\n"),
  };
  for (const std::string& head : heads) EXPECT_EQ(status_of(head), ParseStatus::kMalformed) << head;
}

TEST(H1Response, KnowsTheLengthOfItsBody) {
  struct Row {
    const char* method;
    const char* line;
    std::string fields;
    Framing framing;
    std::uint64_t length = 0;
    bool is_kept = true;
  };
  const std::string five = "Content-Length: 5\r\n", chunked = "Transfer-Encoding: chunked\r\n";
  const Row rows[] = {
      {"GET", "HTTP/1.1 200 OK", five, Framing::kLength, 5},
      {"GET", "HTTP/1.1 200 OK", "Content-Length: 0\r\n", Framing::kNone},
      {"GET", "HTTP/1.1 200 OK", chunked, Framing::kChunked},
      {"GET", "HTTP/1.1 200 OK", "transfer-encoding: Chunked\r\n", Framing::kChunked},
      {"GET", "HTTP/1.1 200 OK", "", Framing::kUntilClose, 0, false},
      {"GET", "HTTP/1.1 200 OK", "Connection: keep-alive\r\n", Framing::kUntilClose, 0, false},
      {"GET", "HTTP/1.0 200 OK", "", Framing::kUntilClose, 0, false},
      {"GET", "HTTP/1.0 200 OK", five, Framing::kLength, 5, false},
      {"GET", "HTTP/1.0 200 OK", five + "Connection: Keep-Alive\r\n", Framing::kLength, 5, true},
      {"GET", "HTTP/1.1 200 OK", five + "Connection: close\r\n", Framing::kLength, 5, false},
      {"GET", "HTTP/1.1 500 x", "", Framing::kUntilClose, 0, false},
      {"POST", "HTTP/1.1 201 x", five, Framing::kLength, 5},
      {"HEAD", "HTTP/1.1 200 OK", five, Framing::kNone, 5},
      {"HEAD", "HTTP/1.1 200 OK", chunked, Framing::kNone},
      {"HEAD", "HTTP/1.1 200 OK", "", Framing::kNone},
      {"HEAD", "HTTP/1.1 404 x", five, Framing::kNone, 5},
      {"head", "HTTP/1.1 200 OK", five, Framing::kLength, 5},  // methods are case-sensitive
      {"GET", "HTTP/1.1 100 Continue", "", Framing::kNone},
      {"GET", "HTTP/1.1 100 Continue", five, Framing::kNone, 5},
      {"GET", "HTTP/1.1 103 Early Hints", "Link: </x>\r\n", Framing::kNone},
      {"GET", "HTTP/1.1 101 Switching Protocols", chunked, Framing::kNone},
      {"GET", "HTTP/1.1 199 x", "", Framing::kNone},
      {"GET", "HTTP/1.1 204 x", "", Framing::kNone},
      {"GET", "HTTP/1.1 204 x", five, Framing::kNone, 5},
      {"GET", "HTTP/1.1 204 x", chunked, Framing::kNone},
      {"GET", "HTTP/1.1 205 x", "", Framing::kUntilClose, 0, false},
      {"GET", "HTTP/1.1 304 x", "", Framing::kNone},
      {"GET", "HTTP/1.1 304 x", five, Framing::kNone, 5},
      {"GET", "HTTP/1.1 304 x", chunked, Framing::kNone},
      {"GET", "HTTP/1.1 303 x", "", Framing::kUntilClose, 0, false},
      {"CONNECT", "HTTP/1.1 200 x", five, Framing::kNone, 5},
      {"CONNECT", "HTTP/1.1 299 x", chunked, Framing::kNone},
      {"CONNECT", "HTTP/1.1 403 x", five, Framing::kLength, 5},
  };
  for (const Row& row : rows) {
    const std::string text = with_fields(row.fields, row.line);
    const Response response = parse_good(text, row.method);
    EXPECT_EQ(response.framing, row.framing) << row.method << " " << text;
    EXPECT_EQ(response.content_length, row.length) << row.method << " " << text;
    EXPECT_EQ(response.is_keep_alive, row.is_kept) << row.method << " " << text;
  }
}

TEST(H1Response, RefusesLengthsThatTwoParsersMayReadInTwoWays) {
  for (const std::string& fields :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"s,
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"s, "Content-Length: 5\r\nContent-Length: 6\r\n"s,
        "Content-Length: 5\r\nContent-Length: 5\r\n"s, "Content-Length: 5, 5\r\n"s,
        "Content-Length: 5, 6\r\n"s, "Content-Length: -5\r\n"s, "Content-Length: +5\r\n"s,
        "Content-Length: 5x\r\n"s, "Content-Length:\r\n"s, "Content-Length: 18446744073709551621\r\n"s,
        "Transfer-Encoding: gzip\r\n"s, "Transfer-Encoding:\r\n"s,
        "Transfer-Encoding: chunked, identity\r\n"s, "Transfer-Encoding: chunked, chunked\r\n"s,
        "Transfer-Encoding: identity\r\nContent-Length: 5\r\n"s}) {
    EXPECT_EQ(status_of(with_fields(fields)), ParseStatus::kMalformed) << fields;
  }
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: gzip, chunked\r\n")), ParseStatus::kNotImplemented);
  EXPECT_EQ(status_of(with_fields("Transfer-Encoding: chunked\r\n", "HTTP/1.0 200 OK")),
            ParseStatus::kMalformed);
}

TEST(H1Response, EndsWhereTheNextOneBegins) {
  const std::string first = "HTTP/1.1 100 Continue\r\n\r\n",
                    second = "HTTP/1.1 204 No Content\r\nX: 1\r\n\r\n";
  const std::string bytes = first + second;
  Response response;
  std::size_t scanned = 0;
  EXPECT_EQ(parse_response(bytes, {}, scanned, "POST", response).length, first.size());
  EXPECT_EQ(response.status, 100);
  EXPECT_TRUE(response.fields.all().empty());
  const std::string_view rest = std::string_view(bytes).substr(first.size());
  EXPECT_EQ(parse_response(rest, {}, scanned = 0, "POST", response).length, second.size());
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.fields.all().size(), 1u);
}

TEST(H1Response, KeepsNothingOfTheResponseBeforeIt) {
  const std::string first = "HTTP/1.0 500 reason\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n";
  for (const std::string second : {"HTTP/1.1 200\r\n\r\n", "HTTP/1.1 204 x\r\n\r\n"}) {
    Response used, fresh;
    std::size_t scanned = 0;
    EXPECT_EQ(parse_response(first, {}, scanned, "GET", used).status, ParseStatus::kDone);
    EXPECT_EQ(parse_response(second, {}, scanned = 0, "GET", used).status, ParseStatus::kDone);
    EXPECT_EQ(parse_response(second, {}, scanned = 0, "GET", fresh).status, ParseStatus::kDone);
    EXPECT_EQ(describe(used), describe(fresh)) << second;
  }
}

}  // namespace
}  // namespace gatehouse::l7::http
