// Lists of prefixes as they are published, and as they are mistyped.
#include "common/prefix_list.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

std::string listed(std::string_view text) {
  const auto prefixes = parse_prefix_list(text, "f");
  if (!prefixes) return prefixes.error().message;
  std::string line;
  for (const IpPrefix& prefix : *prefixes) line += (line.empty() ? "" : " ") + to_string(prefix);
  return line;
}

TEST(PrefixList, TakesOnePrefixPerLineAndComments) {
  EXPECT_EQ(listed(""), "");
  EXPECT_EQ(listed("\n \n\t\r\n# nothing\n;nor here"), "");
  EXPECT_EQ(listed("10.0.0.0/8"), "10.0.0.0/8");
  EXPECT_EQ(listed("; Spamhaus DROP List\n1.10.16.0/20 ; SBL256894\n2a06:e480::/29 # v6\r\n\n  192.0.2.1  "
                   "\n10.0.0.0/8\n10.0.0.0/8"),
            "1.10.16.0/20 2a06:e480::/29 192.0.2.1 10.0.0.0/8 10.0.0.0/8");
}

TEST(PrefixList, NamesBadLinesTheFirstFewOfThem) {
  const std::string expected =
      ": expected a prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length, found ";
  EXPECT_EQ(listed("10.0.0.0/8\n10.0.0.1/8\n"), "f:2" + expected + "\"10.0.0.1/8\"");
  EXPECT_EQ(listed("a\n10.0.0.0/8\nb"), "f:1" + expected + "\"a\"\nf:3" + expected + "\"b\"");
  EXPECT_EQ(listed("10.0.0.0/8 deny"), "f:1" + expected + "\"10.0.0.0/8 deny\"");
  const std::string many = listed("a\na\na\na\na\na\na\na\n");
  EXPECT_EQ(std::count(many.begin(), many.end(), '\n'), 4);
  // What a terminal would obey, and what would fill it, is not printed.
  EXPECT_EQ(listed("\x1b[2J"), "f:1" + expected + "\"?[2J\"");
  EXPECT_EQ(listed(std::string(100, 'x')), "f:1" + expected + "\"" + std::string(60, 'x') + "...\"");
  EXPECT_EQ(listed(std::string("10.0.0.0/8\0", 11)), "f:1" + expected + "\"10.0.0.0/8?\"");
}

TEST(PrefixList, AFileThatCannotBeReadIsNamed) {
  EXPECT_NE(load_prefix_list("/no/such/file").error().message.find("/no/such/file:1: cannot read this file"),
            std::string::npos);
  EXPECT_NE(load_prefix_list("/dev/zero").error().message.find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse
