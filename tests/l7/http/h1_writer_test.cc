// Heads as they leave: framing, what must not be passed on, and the bounds of a buffer.
#include "l7/http/h1_writer.h"

#include <gtest/gtest.h>

#include <string>

#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

Forwarding forwarding(std::string_view client = "203.0.113.7", bool is_trusted = false) {
  return {client, "https", "1.1 n1", "id-1", is_trusted};
}

// Parses `text` and writes it as it goes to a backend; "refused" when it does not fit.
std::string rewritten(const std::string& text, const Forwarding& of_client = forwarding()) {
  BufferPool pool;
  Buffer output(pool);
  Request request;
  std::size_t scanned = 0;
  const ParseResult parsed = parse_request(text, {256 * 1024, 64 * 1024, kMaxFields}, scanned, request);
  EXPECT_EQ(parsed.status, ParseStatus::kDone) << parsed.reason;
  if (!write_request_head(output, request, parsed.length, of_client)) return "refused";
  return std::string(output.view());
}

std::string answered(const std::string& text, const ResponseStyle& style, std::string_view method = "GET") {
  BufferPool pool;
  Buffer output(pool);
  Response response;
  std::size_t scanned = 0;
  const ParseResult parsed = parse_response(text, {256 * 1024, 0, kMaxFields}, scanned, method, response);
  EXPECT_EQ(parsed.status, ParseStatus::kDone) << parsed.reason;
  if (!write_response_head(output, response, parsed.length, style)) return "refused";
  return std::string(output.view());
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(RequestHead, IsWrittenWholeAndInOrder) {
  EXPECT_EQ(
      rewritten("GET /a?b=c HTTP/1.1\r\nAccept:*/*\r\nHost: shop.example:8443\r\nX:  y z \r\n\r\n"),
      "GET /a?b=c HTTP/1.1\r\nHost: shop.example:8443\r\nAccept: */*\r\nX: y z\r\n"
      "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.example:8443\r\n"
      "Forwarded: for=203.0.113.7;proto=https;host=\"shop.example:8443\"\r\nX-Request-ID: id-1\r\nVia: 1.1 "
      "n1\r\n\r\n");
}

struct Target {
  const char* given;
  const char* written;
};

TEST(RequestHead, KeepsTheTargetAsItCame) {
  const Target cases[] = {{"/", "/"},
                          {"/a//b/../c;d=e", "/a//b/../c;d=e"},
                          {"/%2F%00?%3f", "/%2F%00?%3f"},
                          {"/?", "/?"},
                          {"/a?", "/a?"},
                          {"/a?b?c", "/a?b?c"},
                          {"http://h", "/"},
                          {"http://h/", "/"},
                          {"http://h?", "/?"},
                          {"http://h?a=b", "/?a=b"},
                          {"HTTP://h/x?y", "/x?y"}};
  for (const Target& row : cases) {
    const std::string head = rewritten(std::string("GET ") + row.given + " HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_EQ(head.substr(0, head.find("\r\n")), std::string("GET ") + row.written + " HTTP/1.1");
  }
}

TEST(RequestHead, SaysItsFramingOnce) {
  const std::string sized = rewritten("POST / HTTP/1.1\r\nHost: h\r\ncontent-length: 0012\r\n\r\n");
  EXPECT_TRUE(has(sized, "\r\nContent-Length: 12\r\n"));
  EXPECT_FALSE(has(sized, "content-length"));
  const std::string chunked = rewritten("POST / HTTP/1.1\r\nHost: h\r\ntransfer-encoding: CHUNKED\r\n\r\n");
  EXPECT_TRUE(has(chunked, "\r\nTransfer-Encoding: chunked\r\n"));
  EXPECT_FALSE(has(chunked, "transfer-encoding"));
  const std::string empty = rewritten("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(has(empty, "\r\nContent-Length: 0\r\n"));
  EXPECT_FALSE(has(rewritten("GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "Content-Length"));
}

TEST(RequestHead, AnAddressOfIPv6IsQuotedInForwardedAlone) {
  const std::string head =
      rewritten("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", forwarding("2001:db8::7"));
  EXPECT_TRUE(has(head, "X-Forwarded-For: 2001:db8::7\r\n"));
  EXPECT_TRUE(has(head, "Forwarded: for=\"[2001:db8::7]\";proto=https;host=\"[2001:db8::1]:80\"\r\n"));
}

TEST(RequestHead, ATrustedProxysFieldsThatAreMissingAreFilledIn) {
  const std::string head = rewritten("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 10.0.0.9\r\n\r\n",
                                     forwarding("192.0.2.1", true));
  EXPECT_TRUE(has(head, "X-Forwarded-For: 10.0.0.9, 192.0.2.1\r\n"));
  EXPECT_TRUE(has(head, "X-Forwarded-Proto: https\r\n"));
  EXPECT_TRUE(has(head, "X-Forwarded-Host: h\r\n"));
}

TEST(RequestHead, TheFullestOneFits) {
  std::string text =
      "GET /" + std::string(8'000, 'u') + " HTTP/1.1\r\nHost:" + std::string(8'000, 'h') + "\r\n";
  for (std::size_t i = 1; i < kMaxFields; ++i) text += "X-Forwarded-For:\r\n";
  const std::string head =
      rewritten(text + "\r\n", forwarding("2001:db8:1111:2222:3333:4444:5555:6666", true));
  EXPECT_TRUE(head.ends_with("Via: 1.1 n1\r\n\r\n"));
  text = "POST / HTTP/1.1\r\nHost:h\r\nContent-Length:999999999999999999\r\n";
  for (std::size_t i = 2; i < kMaxFields; ++i) text += "a:b\r\n";
  EXPECT_TRUE(rewritten(text + "\r\n").ends_with("Via: 1.1 n1\r\n\r\n"));
}

TEST(RequestHead, OneThatFitsNoBlockIsRefusedAndLeavesTheOutputAsItWas) {
  BufferPool pool;
  Buffer output(pool);
  output.append("before");
  Request request;
  std::size_t scanned = 0;
  const std::string text =
      "GET / HTTP/1.1\r\nHost: h\r\nA: " + std::string(BufferPool::kLarge, 'x') + "\r\n\r\n";
  const ParseResult parsed = parse_request(text, {256 * 1024, 1024, kMaxFields}, scanned, request);
  EXPECT_FALSE(write_request_head(output, request, parsed.length, forwarding()));
  EXPECT_EQ(output.view(), "before");
}

TEST(RequestHead, MoreConnectionFieldsThanAnybodyNeedsAreRefused) {
  std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (int i = 0; i < 8; ++i)
    text += "Connection: X-" + std::to_string(i) + "\r\nX-" + std::to_string(i) + ": dropped\r\n";
  const std::string head = rewritten(text + "\r\n");
  EXPECT_FALSE(has(head, "dropped"));
  EXPECT_TRUE(has(head, "Via: "));
  EXPECT_EQ(rewritten(text + "Connection: X-9\r\n\r\n"), "refused");
}

struct Persisting {
  Persistence persistence;
  const char* line;
};

TEST(ResponseHead, SaysHowItsConnectionGoesOn) {
  const Persisting cases[] = {{Persistence::kSilent, ""},
                              {Persistence::kClose, "Connection: close\r\n"},
                              {Persistence::kKeepAlive, "Connection: keep-alive\r\n"}};
  for (const Persisting& row : cases) {
    EXPECT_EQ(answered("HTTP/1.0 200 Fine\r\nConnection: x\r\nX: dropped\r\nY: kept\r\n\r\n",
                       {Framing::kChunked, row.persistence, "1.1 n1", "id-1"}),
              std::string("HTTP/1.1 200 Fine\r\nY: kept\r\nTransfer-Encoding: chunked\r\nX-Request-ID: "
                          "id-1\r\nVia: 1.1 n1\r\n") +
                  row.line + "\r\n");
  }
}

struct Length {
  const char* method;
  const char* status_line;
  bool is_kept;
};

TEST(ResponseHead, KeepsALengthWithoutBodyOnlyWhereItMeansSomething) {
  const Length cases[] = {{"HEAD", "HTTP/1.1 200 OK", true},
                          {"GET", "HTTP/1.1 304 Not Modified", true},
                          {"GET", "HTTP/1.1 204 No Content", false},
                          {"GET", "HTTP/1.1 103 Early Hints", false}};
  for (const Length& row : cases) {
    const std::string head =
        answered(std::string(row.status_line) + "\r\nContent-Length: 7\r\n\r\n", {}, row.method);
    EXPECT_EQ(has(head, "Content-Length: 7\r\n"), row.is_kept) << head;
  }
  EXPECT_TRUE(has(answered("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {}), "Content-Length: 0\r\n"));
}

TEST(ResponseHead, AReasonMayBeMissing) {
  EXPECT_TRUE(answered("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", {}).starts_with("HTTP/1.1 200 \r\n"));
}

TEST(OwnAnswer, EveryStatusThatIsSentHasAPhrase) {
  for (const std::uint16_t status : {200, 400, 404, 408, 413, 414, 431, 501, 502, 503, 504, 505}) {
    EXPECT_FALSE(reason_phrase(status).empty()) << status;
  }
}

TEST(ChunkSize, IsHexadecimalAndFitsItsBound) {
  char out[kMaxChunkFraming];
  EXPECT_EQ(std::string_view(out, write_chunk_size(out, 0x1a2b)), "1a2b\r\n");
  EXPECT_EQ(write_chunk_size(out, ~std::size_t{0}), 18u);
}

}  // namespace
}  // namespace gatehouse::l7::http
