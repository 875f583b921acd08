// Our own cookies: what is opened is what was sealed, and nothing else is opened.
#include "l7/cookie_seal.h"

#include <gtest/gtest.h>

#include <set>

#include "l7/http/cookie.h"
#include "l7/own_cookie.h"

namespace gatehouse::l7 {
namespace {

using Verdict = CookieSeal::Verdict;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr Duration kTtl{3'600'000};

std::string_view view(const CookieSeal::Text& text) { return {text.data(), text.size()}; }

struct Sealed : testing::Test {
  Sealed() { seal.set({derive_cookie_key(std::string(32, 's')), std::nullopt}); }
  Verdict verdict(std::string_view text, std::string_view scope = "a", std::int64_t now = kNow) {
    return seal.open(scope, text, now, kTtl).verdict;
  }
  CookieSeal seal;
};

TEST_F(Sealed, OpensToWhatWasSealed) {
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{0x123456789abcdef0}}) {
    const auto text = seal.seal("a", value, kNow, value * 3);
    const CookieSeal::Opened opened = seal.open("a", view(text), kNow, kTtl);
    EXPECT_EQ(opened.verdict, Verdict::kGood);
    EXPECT_EQ(opened.value, value);
    EXPECT_FALSE(opened.is_due);
    EXPECT_EQ(
        view(text).find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string_view::npos);
  }
}

TEST_F(Sealed, IsForgedWithAnyOtherLetterLengthScopeOrKey) {
  const auto text = seal.seal("a", 77, kNow, 5);
  EXPECT_EQ(verdict(view(text), "b"), Verdict::kForged);
  EXPECT_EQ(verdict(view(text), ""), Verdict::kForged);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char letter : {'A', 'B', '7', '_', '=', ' ', '\0', '\xff'}) {
      CookieSeal::Text other = text;
      if (other[i] == letter) continue;
      other[i] = letter;
      EXPECT_EQ(verdict(view(other)), Verdict::kForged) << i << letter;
    }
    EXPECT_EQ(verdict(view(text).substr(0, i)), Verdict::kForged);
    EXPECT_EQ(verdict(view(text).substr(i + 1)), Verdict::kForged);
  }
  EXPECT_EQ(verdict(std::string(view(text)) + "A"), Verdict::kForged);
  seal.set({derive_cookie_key(std::string(32, 't')), std::nullopt});
  EXPECT_EQ(verdict(view(text)), Verdict::kForged);
}

// The last letter has two bits that no byte has: only 0 is taken.
TEST_F(Sealed, HasOneTextOnly) {
  const std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  CookieSeal::Text text = seal.seal("a", 77, kNow, 5);
  const std::size_t last = letters.find(text.back());
  EXPECT_EQ(last % 4, 0u);
  for (std::size_t bits = 1; bits < 4; ++bits) {
    text.back() = letters[last + bits];
    EXPECT_EQ(verdict(view(text)), Verdict::kForged);
  }
}

TEST_F(Sealed, SaysNothingOfItsValue) {
  std::set<std::string> values;
  for (std::uint64_t random = 0; random < 100; ++random)
    values.insert(std::string(view(seal.seal("a", 1, kNow, random)).substr(10, 11)));
  EXPECT_EQ(values.size(), 100u);
}

TEST_F(Sealed, HoldsForItsTimeAndIsDueInTheSecondHalf) {
  const auto text = seal.seal("a", 77, kNow, 5);
  struct Row {
    std::int64_t age;
    Verdict verdict;
    bool is_due;
  };
  for (const Row& row : {Row{-301, Verdict::kOld, false},
                         {-300, Verdict::kGood, false},
                         {0, Verdict::kGood, false},
                         {1800, Verdict::kGood, false},
                         {1801, Verdict::kGood, true},
                         {3600, Verdict::kGood, true},
                         {3601, Verdict::kOld, true}}) {
    const CookieSeal::Opened opened = seal.open("a", view(text), kNow + row.age, kTtl);
    EXPECT_EQ(opened.verdict, row.verdict) << row.age;
    if (opened.verdict == Verdict::kGood) {
      EXPECT_EQ(opened.is_due, row.is_due) << row.age;
    }
  }
}

TEST_F(Sealed, WithTheEarlierSecretIsGoodAndDue) {
  const auto text = seal.seal("a", 77, kNow, 5);
  const CookieKeys keys{derive_cookie_key(std::string(32, 't')), derive_cookie_key(std::string(32, 's'))};
  const auto again = cookie_keys_from_hex(to_hex(keys));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, keys);
  seal.set(*again);
  const CookieSeal::Opened opened = seal.open("a", view(text), kNow, kTtl);
  EXPECT_EQ(opened.verdict, Verdict::kGood);
  EXPECT_EQ(opened.value, 77u);
  EXPECT_TRUE(opened.is_due);
}

TEST(CookieKeys, AreReadFromTheirTextOnly) {
  const CookieKeys keys{derive_cookie_key("secret"), std::nullopt};
  EXPECT_EQ(cookie_keys_from_hex(to_hex(keys)), keys);
  for (const std::string& text :
       {std::string(), std::string("00"), std::string(127, '0'), std::string(128, 'g'), to_hex(keys) + "00"})
    EXPECT_FALSE(cookie_keys_from_hex(text).has_value()) << text;
}

TEST(CookieKeys, WithoutThemNothingIsOpened) {
  CookieSeal seal;
  EXPECT_FALSE(seal.is_set());
  EXPECT_EQ(seal.open("a", std::string(CookieSeal::kLength, 'A'), kNow, kTtl).verdict, Verdict::kForged);
}

struct OwnCookies : Sealed {
  std::string pair(const OwnCookie& cookie, std::uint64_t value, bool is_tls = false) {
    std::string text;
    cookie.write(text, value, seal, kNow, 9, is_tls);
    return text;
  }
};

TEST_F(OwnCookies, SayTheirAttributes) {
  config::OwnCookie own{"c", Duration(90'500), "/shop", "strict"};
  const std::string text = pair(OwnCookie(own, "p"), 7);
  EXPECT_EQ(text.substr(0, 2), "c=");
  EXPECT_EQ(text.substr(2 + CookieSeal::kLength), "; Max-Age=91; Path=/shop; HttpOnly; SameSite=Strict");
  EXPECT_TRUE(pair(OwnCookie(own, "p"), 7, true).ends_with("; SameSite=Strict; Secure"));
  own.same_site = "none";
  own.secure = "always";
  EXPECT_TRUE(pair(OwnCookie(own, "p"), 7).ends_with("; SameSite=None; Secure"));
}

TEST_F(OwnCookies, AreFoundAmongOthersAndNotTakenForAnotherPurpose) {
  const config::OwnCookie own{"c"};
  const OwnCookie sticky(own, "sticky"), affinity(own, "affinity");
  const std::string good = pair(sticky, 7).substr(0, 2 + CookieSeal::kLength);
  struct Row {
    std::string field;
    OwnCookie::Found::Kind kind;
  };
  using Kind = OwnCookie::Found::Kind;
  for (const Row& row : {Row{good, Kind::kGood},
                         {"a=b; " + good + "; d=e", Kind::kGood},
                         {"c=x; " + good, Kind::kGood},
                         {"xc=1; cc=2; c", Kind::kNone},
                         {"c=", Kind::kForged},
                         {"c=\"" + good.substr(2) + "\"", Kind::kForged},
                         {"", Kind::kNone},
                         {";;", Kind::kNone}}) {
    http::Fields fields;
    fields.add({"Cookie", row.field});
    EXPECT_EQ(sticky.find(fields, seal, kNow).kind, row.kind) << row.field;
    if (row.kind == Kind::kGood) {
      EXPECT_EQ(affinity.find(fields, seal, kNow).kind, Kind::kForged) << row.field;
    }
  }
}

}  // namespace
}  // namespace gatehouse::l7
