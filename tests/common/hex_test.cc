#include "common/hex.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(Hex, TwoDigitsAreAByte) {
  EXPECT_EQ(parse_hex("00c4F0"), (std::vector<std::uint8_t>{0x00, 0xc4, 0xf0}));
  EXPECT_EQ(parse_hex(""), std::vector<std::uint8_t>());
  for (const char* text : {"0", "c46", "c4 60", "0x", "g0", "-1"}) EXPECT_FALSE(parse_hex(text)) << text;
}

TEST(Escapes, BackslashesNameBytes) {
  EXPECT_EQ(parse_escapes("PING\\r\\n"), "PING\r\n");
  EXPECT_EQ(parse_escapes("\\x00\\xfF\\\\x"), std::string("\0\xff\\x", 4));
  EXPECT_EQ(parse_escapes("plain, ünd mehr"), "plain, ünd mehr");
  for (const char* text : {"\\", "a\\", "\\x", "\\x1", "\\xg0", "\\t"}) EXPECT_FALSE(parse_escapes(text)) << text;
}

}  // namespace
}  // namespace gatehouse
