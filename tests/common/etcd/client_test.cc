// What is kept in etcd, by members that are real: killed, started again, asked with the wrong password.
#include "common/etcd/client.h"

#include <gtest/gtest.h>

#include "tests/common/etcd/etcd_members.h"
#include "tests/support/turn_until.h"

namespace gatehouse::etcd {
namespace {

constexpr std::chrono::seconds kLong{60};

class EtcdTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access(kEtcd, X_OK) != 0) GTEST_SKIP() << kEtcd << " is not there";
  }

  template <typename Condition>
  bool turn_until(Condition is_done) {
    return test::turn_until(loop_, is_done, kLong);
  }
  template <typename T, typename Begin>
  Result<T> wait(Begin begin) {
    std::optional<Result<T>> answer;
    begin([&answer](Result<T> result) { answer.emplace(std::move(result)); });
    if (!turn_until([&] { return answer.has_value(); })) return Error{"no answer"};
    return *answer;
  }
  Result<Entry> get(Client& client, const std::string& key) {
    return wait<Entry>([&](auto done) { client.get(key, done); });
  }
  Result<bool> swap(Client& client, const std::string& key, std::int64_t revision, const std::string& value,
                    std::int64_t lease = 0) {
    return wait<bool>([&](auto done) { client.swap(key, revision, value, lease, done); });
  }
  // A member that has just been started takes a moment until it has a leader.
  bool is_ready(Client& client) {
    return turn_until([&] { return get(client, "/none").has_value(); });
  }

  EventLoop loop_;
};

TEST_F(EtcdTest, OnlyWhatIsAsItWasIsSwapped) {
  const Members members(1);
  Client client(loop_, {members.endpoints()});
  ASSERT_TRUE(is_ready(client));
  const std::string binary("\0\xff text\n", 8);
  EXPECT_EQ(get(client, "/key")->exists(), false);
  EXPECT_TRUE(*swap(client, "/key", 0, binary));
  const Entry first = *get(client, "/key");
  EXPECT_EQ(first.value, binary);
  EXPECT_GT(first.revision, 0);
  EXPECT_FALSE(*swap(client, "/key", 0, "other"));
  EXPECT_TRUE(*swap(client, "/key", 0, binary));  // as after an answer that was lost
  EXPECT_TRUE(*swap(client, "/key", first.revision, "second"));
  EXPECT_FALSE(*swap(client, "/key", first.revision, "third"));
  EXPECT_EQ(get(client, "/key")->value, "second");
  for (const std::size_t size : {0, 1, 2, 3, 100'000}) {
    const std::string key = "/size/" + std::to_string(size);
    EXPECT_TRUE(*swap(client, key, 0, std::string(size, 'x')));
    EXPECT_EQ(get(client, key)->value.size(), size);
  }
}

TEST_F(EtcdTest, WhatHasALeaseEndsWithIt) {
  const Members members(1);
  Client client(loop_, {members.endpoints()});
  ASSERT_TRUE(is_ready(client));
  const auto lease = wait<std::int64_t>([&](auto done) { client.grant(2, done); });
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_TRUE(*swap(client, "/alive", 0, "x", *lease));
  EXPECT_TRUE(wait<void>([&](auto done) { client.keep_alive(*lease, done); }));
  EXPECT_TRUE(turn_until([&] { return !get(client, "/alive")->exists(); }));
  EXPECT_FALSE(wait<void>([&](auto done) { client.keep_alive(*lease, done); }));
}

TEST_F(EtcdTest, AFollowerHearsOfChangesOfTheLossAndOfWhatCameAfterIt) {
  Members members(1);
  Client client(loop_, {members.endpoints()});
  ASSERT_TRUE(is_ready(client));
  std::string heard = "nothing";
  const Follower follower(client, loop_, "/key", [&](const Result<Entry>& entry) {
    heard = !entry ? "lost" : entry->exists() ? entry->value : "none";
  });
  EXPECT_TRUE(turn_until([&] { return heard == "none"; })) << heard;
  EXPECT_TRUE(*swap(client, "/key", 0, "one"));
  EXPECT_TRUE(turn_until([&] { return heard == "one"; })) << heard;
  members.kill(0);
  EXPECT_TRUE(turn_until([&] { return heard == "lost"; })) << heard;
  members.start(0);
  EXPECT_TRUE(turn_until([&] { return heard == "one"; })) << heard;
  Client other(loop_, {members.endpoints()});
  EXPECT_TRUE(*swap(other, "/key", get(other, "/key")->revision, "two"));
  EXPECT_TRUE(turn_until([&] { return heard == "two"; })) << heard;
}

TEST_F(EtcdTest, OfThreeMembersOneMayDie) {
  Members members(3);
  Client client(loop_, {members.endpoints()});
  ASSERT_TRUE(is_ready(client));
  std::string heard;
  const Follower follower(client, loop_, "/key", [&](const Result<Entry>& entry) {
    heard = entry && entry->exists() ? entry->value : heard;
  });
  EXPECT_TRUE(*swap(client, "/key", 0, "before"));
  const std::int64_t revision = get(client, "/key")->revision;
  members.kill(0);
  // Until there is a leader again, members say that there is none.
  EXPECT_TRUE(turn_until([&] {
    const auto swapped = swap(client, "/key", revision, "after");
    return swapped && *swapped;
  }));
  EXPECT_TRUE(turn_until([&] { return heard == "after"; })) << heard;
  members.start(0);
  Client back(loop_, {{members.endpoint(0)}});
  EXPECT_TRUE(turn_until([&] {
    const auto entry = get(back, "/key");
    return entry && entry->value == "after";
  }));
}

TEST_F(EtcdTest, WithTlsStrangersAreNotHeard) {
  const Members members(1, true);
  const Options good{members.endpoints(), members.file("ca.pem"), members.file("client.pem"),
                     members.file("client.key")};
  Client client(loop_, good);
  ASSERT_TRUE(is_ready(client));
  EXPECT_TRUE(*swap(client, "/key", 0, "x"));
  Options stranger = good;
  stranger.certificate = stranger.key = "";
  Client without(loop_, stranger);
  EXPECT_FALSE(get(without, "/key"));
  Options unknown = good;
  unknown.ca = "";
  Client distrustful(loop_, unknown);
  const auto refused = get(distrustful, "/key");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("certificate"), std::string::npos) << refused.error().message;
}

TEST_F(EtcdTest, APasswordIsAskedForAndATokenRenewed) {
  Members members(1);
  {
    Client client(loop_, {members.endpoints()});
    ASSERT_TRUE(is_ready(client));
  }
  ASSERT_TRUE(members.post("/v3/auth/user/add", R"({"name": "root", "password": "secret"})"));
  ASSERT_TRUE(members.post("/v3/auth/role/add", R"({"name": "root"})"));
  ASSERT_TRUE(members.post("/v3/auth/user/grant", R"({"user": "root", "role": "root"})"));
  ASSERT_TRUE(members.post("/v3/auth/enable", "{}"));
  Options options{members.endpoints()};
  options.user = "root";
  options.password = "secret";
  Client client(loop_, options);
  EXPECT_TRUE(*swap(client, "/key", 0, "x"));
  // A member that comes back knows none of its tokens.
  members.kill(0);
  members.start(0);
  EXPECT_TRUE(turn_until([&] {
    const auto entry = get(client, "/key");
    return entry && entry->value == "x";
  }));
  options.password = "guess";
  Client liar(loop_, options);
  const auto refused = get(liar, "/key");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("authentication failed"), std::string::npos)
      << refused.error().message;
  Client nobody(loop_, {members.endpoints()});
  EXPECT_FALSE(get(nobody, "/key"));
}

TEST_F(EtcdTest, WhereNobodyAnswersTheErrorSaysWhere) {
  std::string gone;
  {
    const Members members(1);
    gone = members.endpoint(0);
  }
  Client client(loop_, {{gone}});
  const auto refused = get(client, "/key");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(gone + ": "), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace gatehouse::etcd
