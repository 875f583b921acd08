// Request heads (RFC 9112 §2 to §6, §9): each is parsed at once and byte by byte, and must come out the same.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

using namespace std::string_literals;

// What a parse came to, as text: comparable after the parsed bytes are gone.
struct Outcome {
  ParseStatus status = ParseStatus::kNeedMore;
  std::string text;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << "status " << static_cast<int>(outcome.status) << ": " << outcome.text;
}

std::string describe(const Request& request) {
  std::string text;
  for (const std::string_view part :
       {request.method, request.target, request.host, request.authority, request.path, request.query}) {
    text.append(part).append("|");
  }
  for (const std::uint64_t number :
       {std::uint64_t{request.minor_version}, static_cast<std::uint64_t>(request.framing),
        request.content_length, std::uint64_t{request.is_keep_alive}, std::uint64_t{request.expects_continue},
        std::uint64_t{request.has_te_trailers}}) {
    text.append(std::to_string(number)).append("|");
  }
  for (const Field& field : request.fields.all())
    text.append(field.name).append("=").append(field.value).append("|");
  return text;
}

// Parses a copy that ends exactly where `bytes` does, so that a sanitizer sees every read beyond it.
Outcome parse_copy(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned) {
  const std::vector<char> copy(bytes.begin(), bytes.end());
  Request request;
  const ParseResult result = parse_request({copy.data(), copy.size()}, limits, scanned, request);
  if (result.status != ParseStatus::kDone) return {result.status, result.reason};
  return {result.status, std::to_string(result.length) + "|" + describe(request)};
}

Outcome parse_at_once(std::string_view bytes, const HeadLimits& limits = {}) {
  std::size_t scanned = 0;
  return parse_copy(bytes, limits, scanned);
}

Outcome parse_in_pieces(std::string_view bytes, const HeadLimits& limits = {}) {
  std::size_t scanned = 0;
  Outcome outcome;
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    outcome = parse_copy(bytes.substr(0, size), limits, scanned);
    if (outcome.status != ParseStatus::kNeedMore) break;
  }
  return outcome;
}

// The status of `bytes`, which must not depend on how they arrive.
ParseStatus status_of(std::string_view bytes, const HeadLimits& limits = {}) {
  const Outcome outcome = parse_at_once(bytes, limits);
  EXPECT_EQ(parse_in_pieces(bytes, limits), outcome) << bytes;
  return outcome.status;
}

// Parses `bytes`, which must be a whole good head. The views point into `bytes`.
Request parse_good(std::string_view bytes) {
  EXPECT_EQ(status_of(bytes), ParseStatus::kDone) << bytes;
  std::size_t scanned = 0;
  Request request;
  const ParseResult result = parse_request(bytes, {}, scanned, request);
  EXPECT_EQ(result.status, ParseStatus::kDone) << result.reason << " in " << bytes;
  EXPECT_EQ(result.length, bytes.size());
  return request;
}

std::string with_line(const std::string& line) { return line + "\r\nHost: a.example\r\n\r\n"; }
std::string with_fields(const std::string& fields) {
  return "POST /path HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}

TEST(H1Request, TakesAWholeHeadApart) {
  const std::string text =
      "GET /items/7?color=red&x=%20 HTTP/1.1\r\nHost: Shop.Example:8080\r\nX-One:1\r\nx-two: \t two words "
      "\t\r\n"
      "X-Empty:\r\nX-One: again\r\nX-Obs: caf\xc3\xa9\r\n\r\n";
  const Request request = parse_good(text);
  EXPECT_EQ(
      describe(request),
      "GET|/items/7?color=red&x=%20|Shop.Example|Shop.Example:8080|/items/7|color=red&x=%20|1|0|0|1|0|0|"
      "Host=Shop.Example:8080|X-One=1|x-two=two words|X-Empty=|X-One=again|X-Obs=caf\xc3\xa9|");
}

TEST(H1Request, UnderstandsTheFormsOfTheTarget) {
  struct Row {
    const char *line, *host_field, *host, *authority, *path, *query;
  };
  const Row rows[] = {
      {"GET / HTTP/1.1", "a.example", "a.example", "a.example", "/", ""},
      {"GET /? HTTP/1.1", "a.example", "a.example", "a.example", "/", ""},
      {"GET /a?b?c=/d HTTP/1.1", "a.example", "a.example", "a.example", "/a", "b?c=/d"},
      {"GET //double/../dots HTTP/1.1", "a.example", "a.example", "a.example", "//double/../dots", ""},
      {"GET /%00%2f HTTP/1.1", "a.example", "a.example", "a.example", "/%00%2f", ""},
      {"GET /http://b.example/ HTTP/1.1", "a.example", "a.example", "a.example", "/http://b.example/", ""},
      {"GET /x HTTP/1.1", "a.example:", "a.example", "a.example:", "/x", ""},
      {"GET /x HTTP/1.1", "a.example:443", "a.example", "a.example:443", "/x", ""},
      {"GET /x HTTP/1.1", "192.0.2.1:80", "192.0.2.1", "192.0.2.1:80", "/x", ""},
      {"GET /x HTTP/1.1", "[2001:db8::1]", "[2001:db8::1]", "[2001:db8::1]", "/x", ""},
      {"GET /x HTTP/1.1", "[2001:db8::1]:80", "[2001:db8::1]", "[2001:db8::1]:80", "/x", ""},
      {"GET http://a.example HTTP/1.1", "a.example", "a.example", "a.example", "/", ""},
      {"GET http://a.example?q HTTP/1.1", "a.example", "a.example", "a.example", "/", "q"},
      {"GET http://a.example/p?q HTTP/1.1", "a.example", "a.example", "a.example", "/p", "q"},
      {"GET HTTPS://A.example:1/p HTTP/1.1", "a.EXAMPLE:1", "A.example", "A.example:1", "/p", ""},
      {"GET http://[::1]:8/p HTTP/1.1", "[::1]:8", "[::1]", "[::1]:8", "/p", ""},
      {"OPTIONS * HTTP/1.1", "a.example", "a.example", "a.example", "*", ""},
      {"OPTIONS /x HTTP/1.1", "a.example", "a.example", "a.example", "/x", ""},
  };
  for (const Row& row : rows) {
    const std::string text = row.line + "\r\nHost: "s + row.host_field + "\r\n\r\n";
    const Request request = parse_good(text);
    EXPECT_EQ(request.host, row.host) << text;
    EXPECT_EQ(request.authority, row.authority) << text;
    EXPECT_EQ(request.path, row.path) << text;
    EXPECT_EQ(request.query, row.query) << text;
  }
}

TEST(H1Request, RefusesRequestLinesThatAreNotMethodTargetVersion) {
  const std::string lines[] = {
      "GET", "GET /", "GET / ", "/ HTTP/1.1", " GET / HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1",
      "GET / HTTP/1.1 ", "GET\t/\tHTTP/1.1", "GET / x HTTP/1.1", "GET /\tHTTP/1.1", "GET / HTTP/1.1\t",
      "\tGET / HTTP/1.1", "G\rET / HTTP/1.1", "GET /\r HTTP/1.1", "GET / HTTP/1.1\r", "G\0T / HTTP/1.1"s,
      "GET /\0 HTTP/1.1"s, "GET / HTTP/1.1\0"s, "G(T / HTTP/1.1", "GET: / HTTP/1.1", "G\xc3\x89T / HTTP/1.1",
      "GET /caf\xc3\xa9 HTTP/1.1", "GET /#top HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\x01 HTTP/1.1",
      "GET path HTTP/1.1", "GET ?q HTTP/1.1", "GET * HTTP/1.1", "POST * HTTP/1.1", "GET ** HTTP/1.1",
      "OPTIONS *x HTTP/1.1", "GET a.example:80 HTTP/1.1", "GET ftp://a.example/ HTTP/1.1",
      "GET http:/a.example/ HTTP/1.1", "GET http:a.example HTTP/1.1", "GET http:// HTTP/1.1",
      "GET http:///path HTTP/1.1", "GET http://?q HTTP/1.1", "GET http://me@a.example/ HTTP/1.1",
      "GET http://a.example:x/ HTTP/1.1", "GET http://a.example\\@b.example/ HTTP/1.1",
  };
  for (const std::string& line : lines)
    EXPECT_EQ(status_of(with_line(line)), ParseStatus::kMalformed) << line;
}

TEST(H1Request, KnowsItsVersions) {
  struct Row {
    std::string version;
    ParseStatus status;
    int minor = 1;
  };
  const Row rows[] = {
      {"HTTP/1.1", ParseStatus::kDone},
      {"HTTP/1.0", ParseStatus::kDone, 0},
      {"HTTP/1.2", ParseStatus::kDone},  // a later minor version is answered as 1.1 (RFC 9110 §2.5)
      {"HTTP/1.9", ParseStatus::kDone},
      {"HTTP/0.9", ParseStatus::kVersionNotSupported},
      {"HTTP/2.0", ParseStatus::kVersionNotSupported},
      {"HTTP/3.0", ParseStatus::kVersionNotSupported},
      {"HTTP/9.1", ParseStatus::kVersionNotSupported},
      {"HTTP/1", ParseStatus::kMalformed},
      {"HTTP/2", ParseStatus::kMalformed},
      {"HTTP/1.", ParseStatus::kMalformed},
      {"HTTP/1.10", ParseStatus::kMalformed},
      {"HTTP/11.1", ParseStatus::kMalformed},
      {"HTTP/01.1", ParseStatus::kMalformed},
      {"HTTP/+1.1", ParseStatus::kMalformed},
      {"HTTP/1,1", ParseStatus::kMalformed},
      {"http/1.1", ParseStatus::kMalformed},
      {"HTTPS/1.1", ParseStatus::kMalformed},
      {"HTTP1.1", ParseStatus::kMalformed},
      {"HTTP/1.x", ParseStatus::kMalformed},
      {"ICAP/1.1", ParseStatus::kMalformed},
      {"", ParseStatus::kMalformed},
  };
  for (const Row& row : rows) {
    const std::string text = with_line("GET / " + row.version);
    EXPECT_EQ(status_of(text), row.status) << row.version;
    if (row.status != ParseStatus::kDone) continue;
    EXPECT_EQ(int{parse_good(text).minor_version}, row.minor) << row.version;
  }
  EXPECT_EQ(status_of("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ParseStatus::kVersionNotSupported);
  EXPECT_EQ(status_of("GET /\r\n\r\n"), ParseStatus::kMalformed);
}

TEST(H1Request, TakesEveryTokenAsAMethodButConnect) {
  for (const char* method : {"GET", "HEAD", "PATCH", "get", "M-SEARCH", "!#$%&'*+-.^_`|~09az"}) {
    EXPECT_EQ(parse_good(with_line(method + " / HTTP/1.1"s)).method, method);
  }
  EXPECT_EQ(status_of(with_line("CONNECT a.example:443 HTTP/1.1")), ParseStatus::kNotImplemented);
  EXPECT_EQ(status_of(with_line("CONNECT / HTTP/1.1")), ParseStatus::kNotImplemented);
}

TEST(H1Request, RefusesFieldLinesThatTwoParsersMayReadInTwoWays) {
  const std::string fields[] = {
      "X : 1\r\n",
      "X\t: 1\r\n",
      " X: 1\r\n",
      "\tX: 1\r\n",
      "X: 1\r\n folded\r\n",
      "X: 1\r\n\tfolded\r\n",
      ": 1\r\n",
      "X\r\n",
      "X 1\r\n",
      "X\0: 1\r\n"s,
      "X: a\0b\r\n"s,
      "X: a\rb\r\n",
      "X: 1\r\r\n",
      "X\r: 1\r\n",
      "X: a\nb\r\n",
      "X: 1\n",
      "\n",
      "X: a\x7f\r\n",
      "X: a\x01\r\n",
      "X: a\x1f"
      "b\r\n",
      "X(: 1\r\n",
      "X/Y: 1\r\n",
      "X\xc3\xa9: 1\r\n",
      "\"X\": 1\r\n",
      "X@: 1\r\n",
      "X: \x0b"
      "1\r\n",
      "X: 1\x0c\r\n",
      " \r\n",
      "\t\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Transfer-Encoding\x0b: chunked\r\n",
      "Content-Length\0: 5\r\n"s,
      "X: 0123456789abcdef\x01"
      "0123456789abcdef\r\n",
      "X: 0123456789abcdef0123456789abcde\x7f\r\n",
  };
  for (const std::string& field : fields)
    EXPECT_EQ(status_of(with_fields(field)), ParseStatus::kMalformed) << field;
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\n Host: a.example\r\n\r\n"), ParseStatus::kMalformed);
  EXPECT_EQ(status_of("GET / HTTP/1.1\nHost: a.example\n\n"), ParseStatus::kMalformed);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a.example\r\n\n"), ParseStatus::kMalformed);
  EXPECT_EQ(status_of("GET / HTTP/1.1\rHost: a.example\r\r\n\r\n"), ParseStatus::kMalformed);
}

TEST(H1Request, WantsExactlyOneGoodHost) {
  const std::string heads[] = {
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nX: 1\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost:\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.example\r\nhOsT: b.example\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost:\r\n\r\n",
      "GET http:/// HTTP/1.1\r\nHost:\r\n\r\n",
      "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n",
      "GET / HTTP/1.0\r\nHost:\r\n\r\n",
  };
  for (const std::string& head : heads) EXPECT_EQ(status_of(head), ParseStatus::kMalformed) << head;
  for (const std::string host :
       {"a b",         "a/b",     "a@b",           "http://a", "a:b", "a:-1", "a:+1",
        "a:123456",    "a:1:2",   ":80",           "[::1",     "::1", "[]",   "[:]",
        "[::1]x",      "[::1]80", "[::1%25eth0/]", "a\\b",     "a?b", "a#b",  "a,b c",
        "caf\xc3\xa9", "a\"b",    "<a>",           "[a",       "a]"}) {
    EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"), ParseStatus::kMalformed) << host;
  }
}

TEST(H1Request, InOldHttpNeedsNoHost) {
  const Request request = parse_good("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_EQ(request.host, "");
  EXPECT_EQ(request.authority, "");
  EXPECT_EQ(parse_good("GET http://a.example/x HTTP/1.0\r\n\r\n").host, "a.example");
}

TEST(H1Request, KnowsTheLengthOfItsBody) {
  struct Row {
    std::string fields;
    ParseStatus status;
    Framing framing = Framing::kNone;
    std::uint64_t length = 0;
  };
  const auto bad = ParseStatus::kMalformed, good = ParseStatus::kDone, unknown = ParseStatus::kNotImplemented;
  const Row rows[] = {
      {"", good},
      {"Content-Length: 0\r\n", good},
      {"Content-Length: 5\r\n", good, Framing::kLength, 5},
      {"content-LENGTH:\t5 \r\n", good, Framing::kLength, 5},
      {"Content-Length: 0005\r\n", good, Framing::kLength, 5},
      {"Content-Length: 999999999999999999\r\n", good, Framing::kLength, 999'999'999'999'999'999},
      {"Content-Length: 18446744073709551615\r\n", bad},
      {"Content-Length: 18446744073709551616\r\n", bad},
      {"Content-Length: 18446744073709551621\r\n", bad},
      {"Content-Length: 99999999999999999999999999999999\r\n", bad},
      {"Content-Length: -1\r\n", bad},
      {"Content-Length: +5\r\n", bad},
      {"Content-Length: 0x5\r\n", bad},
      {"Content-Length: 5.0\r\n", bad},
      {"Content-Length: 5e1\r\n", bad},
      {"Content-Length: 5 5\r\n", bad},
      {"Content-Length: 5,\r\n", bad},
      {"Content-Length: ,5\r\n", bad},
      {"Content-Length: 5;x\r\n", bad},
      {"Content-Length: \"5\"\r\n", bad},
      {"Content-Length:\r\n", bad},
      {"Content-Length: five\r\n", bad},
      {"Content-Length: \xd9\xa5\r\n", bad},
      {"Content-Length: 5, 5\r\n", bad},
      {"Content-Length: 5, 6\r\n", bad},
      {"Content-Length: 5\r\nContent-Length: 5\r\n", bad},
      {"Content-Length: 5\r\nContent-Length: 6\r\n", bad},
      {"Content-Length: 0\r\nContent-Length: 5\r\n", bad},
      {"Content-Length: 5\r\nX: 1\r\nCONTENT-LENGTH: 5\r\n", bad},
      {"Content_Length: 5\r\n", good},
      {"X-Content-Length: 5\r\n", good},
      {"Transfer-Encoding: chunked\r\n", good, Framing::kChunked},
      {"transfer-encoding: CHUNKED\r\n", good, Framing::kChunked},
      {"Transfer-Encoding:\tchunked\t\r\n", good, Framing::kChunked},
      {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", bad},
      {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", bad},
      {"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", bad},
      {"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", bad},
      {"Transfer-Encoding:\r\nContent-Length: 5\r\n", bad},
      {"Transfer-Encoding:\r\n", bad},
      {"Transfer-Encoding: identity\r\n", bad},
      {"Transfer-Encoding: gzip\r\n", bad},
      {"Transfer-Encoding: chunked, gzip\r\n", bad},
      {"Transfer-Encoding: chunked, identity\r\n", bad},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", bad},
      {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", bad},
      {"Transfer-Encoding: chunked, chunked\r\n", bad},
      {"Transfer-Encoding: chunked,\r\n", bad},
      {"Transfer-Encoding: xchunked\r\n", bad},
      {"Transfer-Encoding: chunkedx\r\n", bad},
      {"Transfer-Encoding: chunked;q=1\r\n", bad},
      {"Transfer-Encoding: \"chunked\"\r\n", bad},
      {"Transfer-Encoding: chun ked\r\n", bad},
      {"Transfer-Encoding: \x0b"
       "chunked\r\n",
       bad},
      {"Transfer-Encoding: chunked\x00\r\n"s, bad},
      {"Transfer-Encoding: 'chunked'\r\n", bad},
      {"Transfer-Encoding: gzip, chunked\r\n", unknown},
      {"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", unknown},
      {"Transfer_Encoding: chunked\r\n", good},
      {"X-Transfer-Encoding: chunked\r\n", good},
  };
  for (const Row& row : rows) {
    const std::string text = with_fields(row.fields);
    EXPECT_EQ(status_of(text), row.status) << text;
    if (row.status != good) continue;
    const Request request = parse_good(text);
    EXPECT_EQ(request.framing, row.framing) << text;
    EXPECT_EQ(request.content_length, row.length) << text;
  }
  EXPECT_EQ(status_of("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), bad);
}

TEST(H1Request, KeepsTheConnectionByVersionAndConnectionField) {
  struct Row {
    const char *version, *fields;
    bool is_kept;
  };
  const Row rows[] = {
      {"1.1", "", true},
      {"1.1", "Connection: close\r\n", false},
      {"1.1", "Connection: CLOSE\r\n", false},
      {"1.1", "Connection: x, close ,y\r\n", false},
      {"1.1", "Connection: x\r\nConnection: close\r\n", false},
      {"1.1", "Connection: close\r\nConnection: keep-alive\r\n", false},
      {"1.1", "Connection: keep-alive, close\r\n", false},
      {"1.1", "Connection: closed\r\n", true},
      {"1.1", "Connection: Upgrade\r\n", true},
      {"1.0", "", false},
      {"1.0", "Connection: keep-alive\r\n", true},
      {"1.0", "Connection: Keep-Alive\r\n", true},
      {"1.0", "Connection: keep-alive, close\r\n", false},
      {"1.0", "Keep-Alive: timeout=5\r\n", false},
      {"1.0", "Proxy-Connection: keep-alive\r\n", false},
  };
  for (const Row& row : rows) {
    const std::string text = "GET / HTTP/"s + row.version + "\r\nHost: a\r\n" + row.fields + "\r\n";
    EXPECT_EQ(parse_good(text).is_keep_alive, row.is_kept) << text;
  }
}

TEST(H1Request, ExpectsContinueOnlyWithABodyToCome) {
  struct Row {
    const char *version, *fields;
    bool is_expected;
  };
  const Row rows[] = {
      {"1.1", "Content-Length: 5\r\nExpect: 100-continue\r\n", true},
      {"1.1", "Expect: 100-Continue\r\nContent-Length: 5\r\n", true},
      {"1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", true},
      {"1.1", "Expect: 100-continue\r\n", false},
      {"1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n", false},
      {"1.1", "Expect: 200-ok\r\nContent-Length: 5\r\n", false},
      {"1.0", "Content-Length: 5\r\nExpect: 100-continue\r\n", false},  // RFC 9110 §10.1.1
  };
  for (const Row& row : rows) {
    const std::string text = "PUT / HTTP/"s + row.version + "\r\nHost: a\r\n" + row.fields + "\r\n";
    EXPECT_EQ(parse_good(text).expects_continue, row.is_expected) << text;
  }
}

TEST(H1Request, TellsWhetherTrailersAreWelcome) {
  EXPECT_TRUE(parse_good(with_fields("TE: trailers\r\n")).has_te_trailers);
  EXPECT_TRUE(parse_good(with_fields("te: deflate;q=0.5, Trailers\r\n")).has_te_trailers);
  EXPECT_TRUE(parse_good(with_fields("TE: trailers\r\nTE: gzip\r\n")).has_te_trailers);
  EXPECT_FALSE(parse_good(with_fields("TE: gzip\r\n")).has_te_trailers);
  EXPECT_FALSE(parse_good(with_fields("Trailer: trailers\r\n")).has_te_trailers);
}

TEST(H1Request, ForgivesTwoEmptyLinesBeforeIt) {
  const std::string head = with_line("GET / HTTP/1.1");
  for (const std::string before : {"", "\r\n", "\r\n\r\n"}) {
    EXPECT_EQ(parse_good(before + head).path, "/");
    EXPECT_EQ(status_of(before), ParseStatus::kNeedMore);
  }
  for (const std::string before : {"\r\n\r\n\r\n", "\n", "\r", "\r\r\n", " \r\n", "\r\n\n", "\r\n "}) {
    EXPECT_EQ(status_of(before + head), ParseStatus::kMalformed) << before;
  }
}

TEST(H1Request, EndsWhereTheNextOneBegins) {
  const std::string first = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  const std::string second = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
  const std::string bytes = first + "abc" + second + "\r\n";
  std::size_t scanned = 0;
  Request request;
  EXPECT_EQ(parse_request(bytes, {}, scanned, request).length, first.size());
  EXPECT_EQ(request.target, "/1");
  scanned = 0;
  const std::string_view rest = std::string_view(bytes).substr(first.size() + 3);
  EXPECT_EQ(parse_request(rest, {}, scanned, request).length, second.size());
  EXPECT_EQ(request.target, "/2");
  EXPECT_EQ(request.host, "b");
  EXPECT_EQ(request.framing, Framing::kNone);
  EXPECT_EQ(request.content_length, 0u);
  EXPECT_EQ(parse_in_pieces(bytes), parse_at_once(bytes));
}

TEST(H1Request, KeepsNothingOfTheRequestBeforeIt) {
  const std::string first =
      "PUT http://b.example:8/p?query HTTP/1.0\r\nHost: b.example:8\r\nContent-Length: 7\r\nTE: "
      "trailers\r\n\r\n";
  for (const std::string& second :
       {with_line("OPTIONS * HTTP/1.1"), with_line("GET / HTTP/1.1"), "GET / HTTP/1.0\r\n\r\n"s,
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"s}) {
    Request used, fresh;
    std::size_t scanned = 0;
    EXPECT_EQ(parse_request(first, {}, scanned, used).status, ParseStatus::kDone);
    EXPECT_EQ(parse_request(second, {}, scanned = 0, used).status, ParseStatus::kDone);
    EXPECT_EQ(parse_request(second, {}, scanned = 0, fresh).status, ParseStatus::kDone);
    EXPECT_EQ(describe(used), describe(fresh)) << second;
  }
}

}  // namespace
}  // namespace gatehouse::l7::http
