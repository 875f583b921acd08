// Tokens: the line that is handed over, and what an L4 host remembers of it.
#include <gtest/gtest.h>

#include "common/files.h"
#include "common/identity/join_token.h"
#include "common/identity/token_store.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::identity {
namespace {

const std::string kSecret(kSecretDigits, 'a'), kPin(kPinDigits, '0');

TEST(JoinToken, IsReadAsItWasWritten) {
  for (const char* address : {"192.0.2.11:6082", "[2001:db8::1]:6082"}) {
    for (const char* name : {"", "n1"}) {
      const JoinToken token{Role::kNode, name, "l4a", *Endpoint::parse(address), kSecret, kPin};
      const auto read = parse_join_token(to_string(token));
      ASSERT_TRUE(read) << to_string(token);
      EXPECT_EQ(*read, token);
    }
  }
  EXPECT_EQ(
      to_string(JoinToken{Role::kL4Host, "", "l4a", *Endpoint::parse("192.0.2.11:6082"), kSecret, kPin}),
      "gh1/l4/*/l4a/192.0.2.11:6082/" + kSecret + "/" + kPin);
}

TEST(JoinToken, IsRefusedWithoutRepeatingItsSecret) {
  const std::string tail = "/" + kSecret + "/" + kPin, start = "gh1/node/n1/l4a/192.0.2.11:6082";
  const std::string rows[] = {"",
                              "gh1",
                              start,
                              start + tail + "/",
                              start + tail + "0",
                              "gh2" + (start + tail).substr(3),
                              "gh1/worker/n1/l4a/192.0.2.11:6082" + tail,
                              "gh1/node//l4a/192.0.2.11:6082" + tail,
                              "gh1/node/n1/l4a/192.0.2.11" + tail,
                              "gh1/node/n1/l4a/192.0.2.11:0" + tail,
                              "gh1/node/n 1/l4a/192.0.2.11:6082" + tail,
                              start + "/" + kSecret.substr(1) + "/" + kPin,
                              start + "/" + std::string(kSecretDigits, 'A') + "/" + kPin,
                              std::string(600, '/')};
  for (const std::string& row : rows) {
    const auto read = parse_join_token(row);
    ASSERT_FALSE(read) << row;
    EXPECT_EQ(read.error().message.find(kSecret), std::string::npos);
  }
}

class Tokens : public testing::Test {
 protected:
  TokenStore open() {
    return TokenStore(file_, [this] { return now_; });
  }
  static std::string refusal(TokenStore& store, const std::string& secret) {
    const auto found = store.find(secret);
    return found ? "" : found.error().message;
  }
  const test::TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/tokens";
  std::int64_t now_ = 1'800'000'000;
};

TEST_F(Tokens, IsGoodForOneJoinAlsoOverARestart) {
  TokenStore store = open();
  EXPECT_TRUE(store.is_empty());
  const auto secret = store.create(Role::kL4Host, "l4b", 600);
  ASSERT_TRUE(secret);
  EXPECT_EQ(read_file(file_)->find(*secret), std::string::npos) << "only its digest is kept";
  TokenStore again = open();
  EXPECT_FALSE(again.is_empty());
  const auto grant = again.find(*secret);
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->role, Role::kL4Host);
  EXPECT_EQ(grant->name, "l4b");
  ASSERT_TRUE(again.spend(*grant, "l4b from 192.0.2.13"));
  EXPECT_NE(refusal(again, *secret).find("has been used, by l4b from 192.0.2.13"), std::string::npos);
  TokenStore third = open();
  EXPECT_NE(refusal(third, *secret).find("has been used"), std::string::npos);
}

TEST_F(Tokens, ExpiresAndIsForgottenLater) {
  TokenStore store = open();
  const auto secret = store.create(Role::kNode, "", 600);
  ASSERT_TRUE(secret);
  now_ += 599;
  EXPECT_EQ(refusal(store, *secret), "");
  now_ += 31;
  EXPECT_NE(refusal(store, *secret).find("expired 30 s ago"), std::string::npos) << refusal(store, *secret);
  EXPECT_FALSE(store.is_empty()) << "who brings it is told why";
  now_ += TokenStore::kRemembered;
  EXPECT_TRUE(store.is_empty());
  EXPECT_NE(refusal(store, kSecret).find("knows no such token"), std::string::npos);
}

TEST_F(Tokens, AreBoundedInNumber) {
  TokenStore store = open();
  for (std::size_t i = 0; i < TokenStore::kMost; ++i) ASSERT_TRUE(store.create(Role::kNode, "", 600));
  const auto more = store.create(Role::kNode, "", 600);
  ASSERT_FALSE(more);
  EXPECT_NE(more.error().message.find("64 tokens that nobody has used"), std::string::npos);
  now_ += 600;
  for (std::size_t i = 0; i < TokenStore::kMost; ++i) ASSERT_TRUE(store.create(Role::kNode, "", 600));
  now_ += 600;
  EXPECT_TRUE(store.create(Role::kNode, "", 600)) << "those that are only remembered make room";
}

TEST_F(Tokens, ADamagedFileLetsNobodyIn) {
  TokenStore store = open();
  const auto secret = store.create(Role::kNode, "", 600);
  ASSERT_TRUE(secret);
  const std::string text = *read_file(file_);
  for (const std::string& damaged : {std::string("["), text.substr(0, text.size() / 2),
                                     std::string("[{\"role\":\"node\"}]"), std::string("{}")}) {
    ASSERT_TRUE(replace_file(file_, damaged));
    TokenStore again = open();
    EXPECT_NE(refusal(again, *secret).find("is damaged"), std::string::npos) << refusal(again, *secret);
    EXPECT_FALSE(again.create(Role::kNode, "", 600));
    EXPECT_TRUE(again.is_empty());
    EXPECT_EQ(*read_file(file_), damaged) << "nothing has changed";
  }
}

TEST_F(Tokens, WhatCannotBeWrittenIsNotSpent) {
  TokenStore store = open();
  const auto secret = store.create(Role::kNode, "", 600);
  ASSERT_TRUE(secret);
  const auto grant = store.find(*secret);
  ASSERT_TRUE(grant);
  ASSERT_TRUE(std::filesystem::create_directory(file_ + ".new"));  // in the way of whoever writes
  EXPECT_FALSE(store.spend(*grant, "n1"));
  EXPECT_EQ(refusal(store, *secret), "");
}

}  // namespace
}  // namespace gatehouse::identity
