// Bodies (RFC 9112 §6.3, §7.1): each is read at once, byte by byte and in every split, and must be the same.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "l7/http/h1_parser.h"

namespace gatehouse::l7::http {
namespace {

using namespace std::string_literals;

struct Outcome {
  std::string data;
  std::size_t consumed = 0;
  bool is_done = false;
  std::string reason;  // set: malformed
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& stream, const Outcome& outcome) {
  return stream << '"' << outcome.data << "\", " << outcome.consumed << " bytes, done " << outcome.is_done
                << ", " << outcome.reason;
}

// Feeds one piece, of which no byte more may be read. False when the body is done or refused.
bool feed(BodyReader& reader, std::string_view piece, Outcome& outcome) {
  const std::vector<char> copy(piece.begin(), piece.end());
  std::string_view rest(copy.data(), copy.size());
  while (!rest.empty() && !reader.is_done()) {
    const BodyReader::Step step = reader.next(rest);
    EXPECT_LE(step.consumed, rest.size());
    outcome.data.append(step.data);
    outcome.consumed += step.consumed;
    if (step.is_malformed) {
      outcome.reason = step.reason;
      EXPECT_FALSE(outcome.reason.empty());
      return false;
    }
    EXPECT_GT(step.consumed, 0u) << "no progress";
    if (step.consumed == 0) return false;
    rest.remove_prefix(step.consumed);
  }
  return !reader.is_done();
}

Outcome read(BodyReader reader, const std::vector<std::string_view>& pieces) {
  Outcome outcome;
  for (const std::string_view piece : pieces) {
    if (!feed(reader, piece, outcome)) break;
  }
  outcome.is_done = reader.is_done();
  return outcome;
}

Outcome read_in_every_way(const BodyReader& reader, std::string_view bytes) {
  const Outcome at_once = read(reader, {bytes});
  std::vector<std::string_view> single;
  for (std::size_t i = 0; i < bytes.size(); ++i) single.push_back(bytes.substr(i, 1));
  EXPECT_EQ(read(reader, single), at_once) << "byte by byte: " << bytes;
  if (bytes.size() > 300) return at_once;
  for (std::size_t i = 0; i <= bytes.size(); ++i) {
    EXPECT_EQ(read(reader, {bytes.substr(0, i), bytes.substr(i)}), at_once)
        << "split at " << i << ": " << bytes;
    for (std::size_t j = i; bytes.size() < 40 && j <= bytes.size(); ++j) {
      EXPECT_EQ(read(reader, {bytes.substr(0, i), bytes.substr(i, j - i), bytes.substr(j)}), at_once)
          << "split at " << i << " and " << j << ": " << bytes;
    }
  }
  return at_once;
}

Outcome read_chunked(std::string_view bytes) { return read_in_every_way({Framing::kChunked, 0}, bytes); }

TEST(BodyReader, OfNoBodyIsDoneAtOnce) {
  for (const BodyReader& reader :
       {BodyReader(), BodyReader(Framing::kNone, 0), BodyReader(Framing::kLength, 0)}) {
    EXPECT_TRUE(reader.is_done());
    EXPECT_EQ(read_in_every_way(reader, "GET / HTTP/1.1\r\n"), (Outcome{"", 0, true, ""}));
    BodyReader copy = reader;
    EXPECT_EQ(copy.next("abc").consumed, 0u);
    EXPECT_TRUE(copy.finish_at_close());
  }
}

TEST(BodyReader, OfALengthTakesThatMuchAndNoMore) {
  const BodyReader reader(Framing::kLength, 5);
  EXPECT_EQ(read_in_every_way(reader, "12345"), (Outcome{"12345", 5, true, ""}));
  EXPECT_EQ(read_in_every_way(reader, "12345GET / HTTP/1.1"), (Outcome{"12345", 5, true, ""}));
  EXPECT_EQ(read_in_every_way(reader, "1234"), (Outcome{"1234", 4, false, ""}));
  EXPECT_EQ(read_in_every_way(reader, "\r\n\0\xff\n"s), (Outcome{"\r\n\0\xff\n"s, 5, true, ""}));
  const BodyReader huge(Framing::kLength, 999'999'999'999'999'999);
  EXPECT_EQ(read_in_every_way(huge, "abc"), (Outcome{"abc", 3, false, ""}));
}

TEST(BodyReader, UntilCloseTakesEverything) {
  BodyReader reader(Framing::kUntilClose, 0);
  EXPECT_EQ(read_in_every_way(reader, "abc\r\n0\r\n\r\n"), (Outcome{"abc\r\n0\r\n\r\n", 10, false, ""}));
  EXPECT_FALSE(reader.is_done());
  EXPECT_TRUE(reader.finish_at_close());
  EXPECT_TRUE(reader.is_done());
  EXPECT_EQ(reader.next("late").consumed, 0u);
}

TEST(BodyReader, IsCutShortByACloseBeforeTheEnd) {
  BodyReader length(Framing::kLength, 5);
  length.next("1234");
  EXPECT_FALSE(length.finish_at_close());
  length.next("5");
  EXPECT_TRUE(length.finish_at_close());
  const std::string body = "5\r\n12345\r\n0\r\nX: 1\r\n\r\n";
  for (std::size_t size = 0; size <= body.size(); ++size) {
    BodyReader chunked(Framing::kChunked, 0);
    Outcome outcome;
    feed(chunked, std::string_view(body).substr(0, size), outcome);
    EXPECT_EQ(chunked.finish_at_close(), size == body.size()) << size;
  }
}

TEST(BodyReader, TakesChunksApart) {
  struct Row {
    std::string bytes, data;
    std::size_t after = 0;  // bytes that belong to the next message
  };
  const Row rows[] = {
      {"0\r\n\r\n", ""},
      {"000\r\n\r\n", ""},
      {"5\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"},
      {"a\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789"},
      {"00000000000001\r\nx\r\n00\r\n\r\n", "x"},
      {"4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"},
      {"3\r\n0\r\n\r\n0\r\n\r\n", "0\r\n"},
      {"1\r\n\0\r\n0\r\n\r\n"s, "\0"s},
      {"5;name=value\r\nhello\r\n0;last\r\n\r\n", "hello"},
      {"5 ; name = \"a;b\\\"c\"\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5;a;b;c=d\r\nhello\r\n0\r\n\r\n", "hello"},
      {"5;\xc3\xa9\r\nhello\r\n0\r\n\r\n", "hello"},
      {"0\r\nX: 1\r\n\r\n", ""},
      {"0\r\nX:\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\nHost: b\r\n\r\n", ""},
      {"1\r\nx\r\n0\r\nDigest: abc=\t\xc3\xa9\r\n\r\n", "x"},
      {"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", "", 18},
      {"0\r\n\r\n\r\n", "", 2},
      {"0\r\nX: 1\r\n\r\n0\r\n\r\n", "", 5},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(read_chunked(row.bytes), (Outcome{row.data, row.bytes.size() - row.after, true, ""}))
        << row.bytes;
  }
}

TEST(BodyReader, WaitsForTheRestOfAChunkedBody) {
  const std::string body = "5;x=1\r\nhello\r\n0\r\nX: 1\r\n\r\n";
  for (std::size_t size = 0; size < body.size(); ++size) {
    const Outcome outcome = read_chunked(std::string_view(body).substr(0, size));
    EXPECT_EQ(outcome.consumed, size);
    EXPECT_EQ(outcome.reason, "");
    EXPECT_FALSE(outcome.is_done);
  }
}

TEST(BodyReader, RefusesChunksThatTwoParsersMayReadInTwoWays) {
  const std::string bodies[] = {
      // sizes
      "\r\n\r\n",
      "\n",
      ";x\r\n",
      " 5\r\nhello\r\n",
      "\t5\r\nhello\r\n",
      "-1\r\n",
      "+5\r\nhello\r\n",
      "0x5\r\nhello\r\n",
      "5h\r\nhello\r\n",
      "g\r\n",
      "5,5\r\nhello\r\n",
      "5.\r\nhello\r\n",
      "\x00"
      "5\r\n"s,
      "5\0\r\nhello\r\n"s,
      "5\x0b\r\nhello\r\n",
      "_5\r\nhello\r\n",
      "\xef\xbc\x95\r\n",
      // sizes that overflow 64 bits, and those that come near
      "10000000000000005\r\nhello\r\n0\r\n\r\n",
      "ffffffffffffffff\r\nx",
      "FFFFFFFFFFFFFFFFF\r\nx",
      "8000000000000000\r\nx",
      "0000000000000000000000000000000000000000000000005\r\nhello\r\n",
      // line ends
      "5\nhello\r\n0\r\n\r\n",
      "5\r\r\nhello\r\n",
      "5\rhello\r\n",
      "5\n\r\nhello",
      "5\r hello\r\n",
      "5;x\nhello\r\n",
      "5;x\rhello\r\n",
      "5;a\r\r\nhello\r\n",
      "5;a=\"\n\"\r\nhello\r\n",
      "5;a\0b\r\nhello\r\n"s,
      "5;a\x7f\r\nhello\r\n",
      "5;a=\"\r\"\r\nhello\r\n",
      // what follows the data
      "5\r\nhello0\r\n\r\n",
      "5\r\nhello!\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello\r0\r\n\r\n",
      "5\r\nhello\r\r\n0\r\n\r\n",
      "5\r\nhello\r\n\r\n0\r\n\r\n",
      "4\r\nhello\r\n0\r\n\r\n",
      "5\r\nhell\r\n0\r\n\r\n",
      // the end and the trailer section
      "0\n\n",
      "0\r\n\n",
      "0\r\n\r\r\n",
      "0\r\n\rX",
      "0\r\n X: 1\r\n\r\n",
      "0\r\nX: 1\r\n folded\r\n\r\n",
      "0\r\nX : 1\r\n\r\n",
      "0\r\n: 1\r\n\r\n",
      "0\r\nX\r\n\r\n",
      "0\r\nX: 1\n\r\n",
      "0\r\nX: 1\n\n",
      "0\r\nX: a\rb\r\n\r\n",
      "0\r\nX: a\0\r\n\r\n"s,
      "0\r\nX: a\x7f\r\n\r\n",
      "0\r\nGET / HTTP/1.1\r\n\r\n",
      "0\r\nX(: 1\r\n\r\n",
      "0\r\nX\0: 1\r\n\r\n"s,
      "0\r\nX: 1\r\r\n\r\n",
  };
  for (const std::string& body : bodies) {
    const Outcome outcome = read_chunked(body);
    EXPECT_NE(outcome.reason, "") << body << " came out as " << outcome;
    EXPECT_FALSE(outcome.is_done) << body;
  }
}

// RFC 9112 §7.1.1: white space may stand before the ';' of an extension; it does not begin one.
TEST(BodyReader, RefusesWhatStandsBehindTheSizeWithoutASemicolon) {
  for (const std::string body :
       {"5 5\r\nhello\r\n0\r\n\r\n", "5\tx\r\nhello\r\n0\r\n\r\n", "5 0\r\nhello\r\n0\r\n\r\n", "0 5\r\n\r\n",
        "5  \"\"\r\nhello\r\n0\r\n\r\n"}) {
    EXPECT_NE(read_chunked(body).reason, "") << body;
  }
}

TEST(BodyReader, BoundsSizeLinesAndTrailers) {
  const auto extension = [](std::size_t size) {
    return "1;" + std::string(size, 'e') + "\r\nx\r\n0\r\n\r\n";
  };
  EXPECT_TRUE(read_chunked(extension(4000)).is_done);
  EXPECT_NE(read_chunked(extension(5000)).reason, "");
  const auto trailer = [](std::size_t size) { return "0\r\nX: " + std::string(size, 't') + "\r\n\r\n"; };
  EXPECT_TRUE(read_chunked(trailer(16'000)).is_done);
  EXPECT_NE(read_chunked(trailer(17'000)).reason, "");
  std::string lines = "0\r\n";
  while (lines.size() < 17'000) lines += "X: 1\r\n";
  EXPECT_NE(read_chunked(lines + "\r\n").reason, "");
  EXPECT_NE(read_chunked("0\r\n" + std::string(17'000, 'n')).reason, "");
}

TEST(BodyReader, BoundsEachSizeLineByItself) {
  std::string body;
  for (int i = 0; i < 10; ++i) body += "1;" + std::string(3000, 'e') + "\r\nx\r\n";
  EXPECT_EQ(read_chunked(body + "0\r\n\r\n").data, std::string(10, 'x'));
}

TEST(BodyReader, TakesTheLargestChunkAsItComes) {
  BodyReader reader(Framing::kChunked, 0);
  Outcome outcome;
  EXPECT_TRUE(feed(reader, "fffffffffffffff\r\nsome", outcome));
  EXPECT_EQ(outcome.data, "some");
  EXPECT_FALSE(reader.finish_at_close());
}

TEST(BodyReader, HandsOutDataInPlace) {
  const std::string bytes = "5\r\nhello\r\n0\r\n\r\n";
  BodyReader reader(Framing::kChunked, 0);
  const BodyReader::Step step = reader.next(bytes);
  EXPECT_EQ(step.data.data(), bytes.data() + 3);
  EXPECT_EQ(step.consumed, bytes.size()) << "the framing behind the data too";
}

}  // namespace
}  // namespace gatehouse::l7::http
