// A site that keeps its version in a real etcd: what that adds to the disks of its L4 hosts, and what its
// loss costs.
#include "common/etcd/version_keeper.h"

#include "common/json_fields.h"
#include "tests/common/etcd/etcd_members.h"
#include "tests/common/versions/version_site.h"

namespace gatehouse::etcd {
namespace {

using versions::site_text;
using versions::VersionSite;

class VersionKeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access(kEtcd, X_OK) != 0) GTEST_SKIP() << kEtcd << " is not there";
    members_ = std::make_unique<Members>(1);
    for (const char* host : {"l4a", "l4b"}) keep(host);
    ASSERT_TRUE(
        turn_until([&] { return keepers_["l4a"]->problem().empty() && keepers_["l4b"]->problem().empty(); }));
    ASSERT_TRUE(site_.settle()) << site_.standing();
  }
  void TearDown() override { keepers_.clear(); }

  void keep(const std::string& name) {
    versions::Host& host = site_.host(name);
    keepers_[name] = std::make_unique<VersionKeeper>(
        site_.loop(), Options{members_->endpoints()}, "/gatehouse/test/config",
        VersionKeeper::Host{
            [&host]() -> const std::optional<versions::Version>& { return host.store->committed(); },
            [&host](const versions::Version& version) {
              host.participant->take(version, [](const Result<Json>&) {});
            }});
    host.publish = [this, name](const versions::Version& version, bool absent_ok,
                                std::function<void(Status)> done) {
      keepers_[name]->publish(version, absent_ok, std::move(done));
    };
  }
  template <typename Condition>
  bool turn_until(Condition is_done) {
    const auto end = EventLoop::Clock::now() + std::chrono::seconds(60);
    while (!is_done() && EventLoop::Clock::now() < end) site_.loop().turn(Duration(20));
    return is_done();
  }
  VersionSite::Answer apply(const std::string& l4, const std::string& mark, bool absent_ok = false) {
    const auto answer = site_.apply(l4, site_text(mark), absent_ok);
    turn_until([&] { return answer->is_there; });
    return *answer;
  }
  bool runs(const std::string& host, const std::string& mark) {
    return site_.host(host).config.text == site_text(mark);
  }
  std::string in_store() {
    Client client(site_.loop(), {members_->endpoints()});
    std::optional<Result<Entry>> entry;
    client.get("/gatehouse/test/config", [&](Result<Entry> got) { entry = std::move(got); });
    turn_until([&] { return entry.has_value(); });
    return entry && *entry && (*entry)->exists() ? parse_json((*entry)->value)["text"].get<std::string>()
                                                 : "";
  }

  VersionSite site_;
  std::unique_ptr<Members> members_;
  std::map<std::string, std::unique_ptr<VersionKeeper>> keepers_;
};

TEST_F(VersionKeeperTest, WhatIsInUseIsInTheStore) {
  const auto answer = apply("l4a", "first");
  EXPECT_TRUE(answer.is_good) << answer.text;
  EXPECT_EQ(in_store(), site_text("first"));
  EXPECT_TRUE(apply("l4b", "second").is_good);
  EXPECT_EQ(in_store(), site_text("second"));
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(VersionKeeperTest, WithoutTheStoreAllStaysAsItIsUnlessTheOperatorGoesOnWithoutIt) {
  EXPECT_TRUE(apply("l4a", "first").is_good);
  members_->kill(0);
  ASSERT_TRUE(turn_until([&] { return !keepers_["l4a"]->problem().empty(); }));
  const auto refused = apply("l4a", "second");
  EXPECT_FALSE(refused.is_good);
  EXPECT_NE(refused.text.find("the store does not answer"), std::string::npos) << refused.text;
  EXPECT_TRUE(site_.settle()) << site_.standing();
  EXPECT_TRUE(runs("n1", "first"));
  EXPECT_TRUE(apply("l4a", "third", true).is_good);
  members_->start(0);
  EXPECT_TRUE(turn_until([&] { return in_store() == site_text("third"); }));
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(VersionKeeperTest, L4HostsThatCannotHearEachOtherDoNotGiveOutTheSameNumber) {
  site_.cut("l4a", "l4b");
  const auto first = site_.apply("l4a", site_text("first"), true);
  const auto other = site_.apply("l4b", site_text("other"), true);
  ASSERT_TRUE(turn_until([&] { return first->is_there && other->is_there; }));
  EXPECT_FALSE(first->is_good && other->is_good) << first->text << other->text;
  EXPECT_TRUE(site_.settle()) << site_.standing();
}

TEST_F(VersionKeeperTest, AnL4HostThatLostItsDiskFindsTheVersionThere) {
  EXPECT_TRUE(apply("l4a", "first").is_good);
  keepers_.erase("l4b");
  site_.host("l4b").publish = nullptr;
  site_.kill("l4b");
  std::filesystem::remove_all(site_.folder("l4b"));
  site_.start("l4b");
  EXPECT_TRUE(runs("l4b", "file"));
  keep("l4b");
  EXPECT_TRUE(turn_until([&] { return runs("l4b", "first"); }));
}

TEST_F(VersionKeeperTest, WhatIsNoVersionIsRefusedAndSaid) {
  Client client(site_.loop(), {members_->endpoints()});
  bool is_done = false;
  client.swap("/gatehouse/test/config", 0, "{\"number\": 9}", 0,
              [&](const Result<bool>&) { is_done = true; });
  ASSERT_TRUE(turn_until([&] { return is_done && !keepers_["l4a"]->problem().empty(); }));
  EXPECT_NE(keepers_["l4a"]->problem().find("is not what it should be"), std::string::npos)
      << keepers_["l4a"]->problem();
  EXPECT_TRUE(runs("l4a", "file"));
}

}  // namespace
}  // namespace gatehouse::etcd
