// Fields, lists, hop-by-hop names and the character classes beneath the parser.
#include "l7/http/message.h"

#include <gtest/gtest.h>

#include <string>

#include "l7/http/characters.h"

namespace gatehouse::l7::http {
namespace {

TEST(Fields, AreFoundInAnyCaseTheFirstOfThem) {
  Fields fields;
  EXPECT_TRUE(fields.add({"Accept", "1"}));
  EXPECT_TRUE(fields.add({"ACCEPT", "2"}));
  EXPECT_TRUE(fields.add({"Accept-Encoding", "3"}));
  EXPECT_EQ(fields.find("accept")->value, "1");
  EXPECT_EQ(fields.find("accept-encoding")->value, "3");
  EXPECT_EQ(fields.find("accep"), nullptr);
  EXPECT_EQ(fields.find(""), nullptr);
  EXPECT_EQ(fields.all().size(), 3u);
  EXPECT_EQ(fields.all()[1].name, "ACCEPT");
  fields.clear();
  EXPECT_TRUE(fields.all().empty());
  EXPECT_EQ(fields.find("accept"), nullptr);
}

TEST(Fields, RefuseMoreThanTheCeiling) {
  Fields fields;
  for (std::size_t i = 0; i < kMaxFields; ++i) EXPECT_TRUE(fields.add({"a", "b"}));
  EXPECT_FALSE(fields.add({"c", "d"}));
  EXPECT_EQ(fields.all().size(), kMaxFields);
  EXPECT_EQ(fields.find("c"), nullptr);
}

TEST(Message, ComparesIgnoringCaseInAsciiOnly) {
  EXPECT_TRUE(equals_ignoring_case("", ""));
  EXPECT_TRUE(equals_ignoring_case("Host", "hOST"));
  EXPECT_TRUE(equals_ignoring_case("x-1_~", "X-1_~"));
  EXPECT_FALSE(equals_ignoring_case("a", ""));
  EXPECT_FALSE(equals_ignoring_case("ab", "a"));
  EXPECT_FALSE(equals_ignoring_case("[", "{"));  // 0x5b and 0x7b differ as letters' cases do
  EXPECT_FALSE(equals_ignoring_case("@", "`"));
  EXPECT_FALSE(equals_ignoring_case("\xc3\x89", "\xc3\xa9"));
  EXPECT_FALSE(equals_ignoring_case(std::string_view("a\0", 2), "a"));
}

// Long names are compared eight characters at a time: every pair of characters, at every place.
TEST(Names, OfAnyLengthAreComparedCharacterByCharacter) {
  const auto lower = [](int c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  for (int left = 0; left < 256; ++left) {
    for (int right = 0; right < 256; ++right) {
      const auto place = static_cast<std::size_t>(left + right) % 19;
      std::string a(19, 'x'), b(19, 'X');
      a[place] = static_cast<char>(left);
      b[place] = static_cast<char>(right);
      ASSERT_EQ(equals_ignoring_case(a, b), lower(left) == lower(right)) << left << " " << right;
    }
  }
}

TEST(Message, FindsMembersOfLists) {
  struct Row {
    const char *list, *token;
    bool is_member;
  };
  const Row rows[] = {
      {"close", "close", true},
      {"Close", "close", true},
      {"a, close", "close", true},
      {"close,a", "close", true},
      {" \tclose\t ,a", "close", true},
      {",,close,,", "close", true},
      {"a,b,c", "c", true},
      {"closed", "close", false},
      {"clos", "close", false},
      {"a close", "close", false},
      {"close;q=1", "close", false},
      {"\"close\"", "close", false},
      {"", "close", false},
      {",", "close", false},
      {"not-close", "close", false},
  };
  for (const Row& row : rows) EXPECT_EQ(has_member(row.list, row.token), row.is_member) << row.list;
}

TEST(Message, KnowsHopByHopFields) {
  for (const char* name :
       {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
        "connection", "KEEP-ALIVE", "te", "x-named", "X-Other"}) {
    EXPECT_TRUE(is_hop_by_hop(name, "close, X-Named ,x-other")) << name;
  }
  for (const char* name : {"Host", "Content-Length", "Content-Type", "Via", "Close-Not", "X-Name", "Trailers",
                           "T", "Expect", "X-Named-2", "Upgrade-Insecure-Requests"}) {
    EXPECT_FALSE(is_hop_by_hop(name, "close, X-Named ,x-other")) << name;
  }
  EXPECT_FALSE(is_hop_by_hop("X-Named", ""));
  EXPECT_TRUE(is_hop_by_hop("TE", ""));
}

// The classes as the RFCs list them, one character after another.
bool is_token_by_the_book(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c != 0 && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos);
}

TEST(Characters, HaveTheirClasses) {
  for (int c = 0; c < 256; ++c) {
    const char character = static_cast<char>(c);
    EXPECT_EQ(is_a(character, kToken), is_token_by_the_book(static_cast<unsigned char>(c))) << c;
    EXPECT_EQ(is_a(character, kDigit), c >= '0' && c <= '9') << c;
    EXPECT_EQ(is_a(character, kTarget), c > 0x20 && c < 0x7f && c != '#') << c;
    EXPECT_EQ(is_a(character, kValue), c == '\t' || (c >= 0x20 && c != 0x7f)) << c;
  }
  for (const char c : std::string_view("/?#[]@: \t\r\n\\\"<>^`{|}\x7f\xc3"))
    EXPECT_FALSE(is_a(c, kHost)) << c;
  for (const char c : std::string_view("aZ09-._~%!$&'()*+,;=")) EXPECT_TRUE(is_a(c, kHost)) << c;
  EXPECT_TRUE(all_are("", kToken));
}

TEST(Characters, OfFieldValuesAreTheSameSixteenAtATime) {
  for (const std::size_t size : {1u, 15u, 16u, 17u, 31u, 32u, 33u, 48u}) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string text(size, 'x');
      for (int c = 0; c < 256; ++c) {
        text[place] = static_cast<char>(c);
        ASSERT_EQ(is_field_value(text), all_are(text, kValue)) << c << " at " << place << " of " << size;
      }
    }
  }
  EXPECT_TRUE(is_field_value(""));
}

}  // namespace
}  // namespace gatehouse::l7::http
