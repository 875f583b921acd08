// Limits of heads, in both directions: which refusal, and the same one however the bytes arrive.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

constexpr HeadLimits kSmall = {.max_bytes = 512, .max_uri_bytes = 128, .max_fields = 8};

enum class Direction { kRequest, kResponse };

ParseStatus parse(Direction direction, std::string_view bytes, const HeadLimits& limits,
                  std::size_t& scanned) {
  Request request;
  Response response;
  return direction == Direction::kRequest ? parse_request(bytes, limits, scanned, request).status
                                          : parse_response(bytes, limits, scanned, "GET", response).status;
}

ParseStatus parse_at_once(Direction direction, std::string_view bytes, const HeadLimits& limits) {
  std::size_t scanned = 0;
  return parse(direction, bytes, limits, scanned);
}

// The last status when the bytes come in pieces of `step`; `used` is how many were needed.
ParseStatus parse_in_pieces(Direction direction, std::string_view bytes, const HeadLimits& limits,
                            std::size_t step, std::size_t& used) {
  std::size_t scanned = 0;
  for (used = 0;; used = std::min(used + step, bytes.size())) {
    const ParseStatus status = parse(direction, bytes.substr(0, used), limits, scanned);
    if (status != ParseStatus::kNeedMore || used == bytes.size()) return status;
  }
}

void expect_status(Direction direction, const std::string& bytes, const HeadLimits& limits,
                   ParseStatus wanted, const std::string& what) {
  EXPECT_EQ(parse_at_once(direction, bytes, limits), wanted) << what << ", at once";
  for (const std::size_t step : {1, 7, 100}) {
    std::size_t used = 0;
    EXPECT_EQ(parse_in_pieces(direction, bytes, limits, step, used), wanted)
        << what << ", in pieces of " << step;
  }
}

// A request head of exactly `size` bytes.
std::string request_of(std::size_t size) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
}

std::string request_with_target(std::size_t length, const std::string& method = "GET") {
  return method + " /" + std::string(length - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

std::string fields(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "F" + std::to_string(i) + ": 1\r\n";
  return text;
}

TEST(H1Limits, AnswerRefusalsWithTheirStatusCode) {
  const std::pair<ParseStatus, int> rows[] = {
      {ParseStatus::kMalformed, 400},           {ParseStatus::kUriTooLong, 414},
      {ParseStatus::kFieldsTooLarge, 431},      {ParseStatus::kNotImplemented, 501},
      {ParseStatus::kVersionNotSupported, 505},
  };
  for (const auto& [status, code] : rows) EXPECT_EQ(response_status(status), code);
}

TEST(H1Limits, OfTheTargetAreExact) {
  for (const std::size_t length : {1u, 127u, 128u}) {
    expect_status(Direction::kRequest, request_with_target(length), kSmall, ParseStatus::kDone,
                  std::to_string(length));
  }
  for (const std::size_t length : {129u, 150u, 190u, 300u, 511u, 2000u}) {
    expect_status(Direction::kRequest, request_with_target(length), kSmall, ParseStatus::kUriTooLong,
                  std::to_string(length));
  }
}

TEST(H1Limits, OfTheTargetHoldBehindEmptyLinesToo) {
  for (const std::string before : {"\r\n", "\r\n\r\n"}) {
    expect_status(Direction::kRequest, before + request_with_target(128), kSmall, ParseStatus::kDone, "good");
    expect_status(Direction::kRequest, before + request_with_target(2000), kSmall, ParseStatus::kUriTooLong,
                  "bad");
  }
}

TEST(H1Limits, OfTheTargetDoNotDependOnTheMethod) {
  const std::string method(100, 'M');
  expect_status(Direction::kRequest, request_with_target(128, method), kSmall, ParseStatus::kDone,
                "long method");
}

TEST(H1Limits, OfTheTargetAreSeenBeforeTheLineEnds) {
  const std::string endless = "GET /" + std::string(100'000, 'a');
  std::size_t used = 0;
  EXPECT_EQ(parse_in_pieces(Direction::kRequest, endless, kSmall, 1, used), ParseStatus::kUriTooLong);
  EXPECT_LE(used, kSmall.max_bytes);
  EXPECT_EQ(parse_in_pieces(Direction::kRequest, endless, {}, 1, used), ParseStatus::kUriTooLong);
  EXPECT_LE(used, HeadLimits().max_bytes);
}

TEST(H1Limits, OfTheRequestHeadAreExact) {
  for (const std::size_t size : {40u, 511u, 512u}) {
    expect_status(Direction::kRequest, request_of(size), kSmall, ParseStatus::kDone, std::to_string(size));
  }
  for (const std::size_t size : {513u, 514u, 600u, 5000u}) {
    expect_status(Direction::kRequest, request_of(size), kSmall, ParseStatus::kFieldsTooLarge,
                  std::to_string(size));
  }
}

TEST(H1Limits, OfTheRequestHeadAreSeenBeforeItEnds) {
  for (const std::string& filler : {std::string(100'000, 'x'), fields(9'000)}) {
    const std::string endless = "GET / HTTP/1.1\r\nHost: a\r\nX: " + filler;
    std::size_t used = 0;
    EXPECT_EQ(parse_in_pieces(Direction::kRequest, endless, kSmall, 1, used), ParseStatus::kFieldsTooLarge);
    EXPECT_EQ(used, kSmall.max_bytes);
  }
}

TEST(H1Limits, DoNotCountWhatFollowsTheHead) {
  const std::string body(100'000, 'b');
  expect_status(Direction::kRequest, request_of(512) + body, kSmall, ParseStatus::kDone, "request");
  expect_status(Direction::kResponse, "HTTP/1.1 200 OK\r\n\r\n" + body, kSmall, ParseStatus::kDone,
                "response");
}

TEST(H1Limits, OfTheNumberOfFieldsAreExact) {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n", response = "HTTP/1.1 200 OK\r\n";
  expect_status(Direction::kRequest, request + fields(7) + "\r\n", kSmall, ParseStatus::kDone, "8 fields");
  expect_status(Direction::kRequest, request + fields(8) + "\r\n", kSmall, ParseStatus::kFieldsTooLarge,
                "9 fields");
  expect_status(Direction::kResponse, response + fields(8) + "\r\n", kSmall, ParseStatus::kDone, "8 fields");
  expect_status(Direction::kResponse, response + fields(9) + "\r\n", kSmall, ParseStatus::kFieldsTooLarge,
                "9");
  const HeadLimits wide = {.max_bytes = 64 * 1024, .max_uri_bytes = 128, .max_fields = 10'000};
  const int most = static_cast<int>(kMaxFields);
  expect_status(Direction::kResponse, response + fields(most) + "\r\n", wide, ParseStatus::kDone,
                "the ceiling");
  expect_status(Direction::kResponse, response + fields(most + 1) + "\r\n", wide,
                ParseStatus::kFieldsTooLarge, "above the ceiling");
}

TEST(H1Limits, OfTheResponseHeadAreExact) {
  const std::string start = "HTTP/1.1 200 OK\r\nX: ", end = "\r\n\r\n";
  for (const std::size_t size : {511u, 512u, 513u, 514u, 600u, 5000u}) {
    const ParseStatus wanted = size <= kSmall.max_bytes ? ParseStatus::kDone : ParseStatus::kFieldsTooLarge;
    const std::string head = start + std::string(size - start.size() - end.size(), 'x') + end;
    expect_status(Direction::kResponse, head, kSmall, wanted, std::to_string(size));
  }
}

TEST(H1Limits, OfTheResponseHeadAreSeenBeforeItEnds) {
  const std::string endless = "HTTP/1.1 200 " + std::string(100'000, 'x');
  std::size_t used = 0;
  EXPECT_EQ(parse_in_pieces(Direction::kResponse, endless, kSmall, 1, used), ParseStatus::kFieldsTooLarge);
  EXPECT_EQ(used, kSmall.max_bytes);
}

}  // namespace
}  // namespace gatehouse::l7::http
