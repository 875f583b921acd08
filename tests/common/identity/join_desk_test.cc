// Who may join, and what those are told who may not. Nothing that is refused spends a token.
#include "common/identity/join_desk.h"

#include <gtest/gtest.h>

#include "common/certificate.h"
#include "common/control/messages.h"
#include "common/files.h"
#include "common/identity/certificate_request.h"
#include "common/identity/identity_files.h"
#include "common/identity/join_token.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::identity {
namespace {

using Json = nlohmann::json;

class Desk : public testing::Test {
 protected:
  Desk() {
    config_.control.authority = folder_.path() + "/authority";
    config_.text = "the config";
    for (const char* name : {"l4a", "l4b"}) {
      config::L4Host host;
      host.name = name;
      host.control = Endpoint::parse("192.0.2.11:6082");
      config_.l4_hosts.push_back(host);
    }
    for (const char* name : {"n1", "n2"}) {
      config::Node node;
      node.name = name;
      config_.nodes.push_back(node);
    }
    EXPECT_TRUE(SiteAuthority::create(config_.control.authority, "edge"));
  }
  JoinDesk::Host host() {
    return {"l4a", [this]() -> const config::Config& { return config_; }, [] { return 7u; },
            [this](Role, const std::string& name) { return name == there_; }};
  }
  JoinDesk make_desk() {
    return JoinDesk(host(), [this] { return now_; });
  }
  JoinToken token(const char* role = "node", const char* name = "") {
    const auto made = desk_.make_token({{"role", role}, {"name", name}, {"seconds", 600}});
    EXPECT_TRUE(made) << made.error().message;
    const auto token = parse_join_token(made ? made->value("token", "") : "");
    GH_CHECK(token);
    return *token;
  }
  Json asking(const std::string& secret, const std::string& name, std::int64_t time = 0) const {
    return {{"protocol", control::kProtocolVersion},
            {"secret", secret},
            {"name", name},
            {"request", make_request(key_.get(), name)},
            {"time", time ? time : now_}};
  }
  std::string refusal(const Json& params, const std::string& peer = "192.0.2.99:40000") {
    const auto answer = desk_.join(peer, params);
    return answer ? "" : answer.error().message;
  }

  const test::TemporaryFolder folder_;
  config::Config config_;
  std::int64_t now_ = 1'800'000'000;
  std::string there_;
  const PrivateKeyPtr key_ = make_key();
  JoinDesk desk_ = make_desk();
};

TEST_F(Desk, ATokenLetsOneHostIn) {
  EXPECT_FALSE(desk_.is_open()) << "nobody has a token";
  const JoinToken token = this->token();
  EXPECT_TRUE(desk_.is_open());
  EXPECT_EQ(token.host, "l4a");
  EXPECT_EQ(token.pin, desk_.pin());
  const auto answer = desk_.join("192.0.2.23:40000", asking(token.secret, "n2"));
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->value("config", ""), "the config");
  EXPECT_EQ(answer->value("version", 0), 7);
  EXPECT_TRUE(check_identity(answer->value("chain", ""), answer->value("ca", ""), key_to_pem(key_.get())));
  EXPECT_EQ(names_of(read_chain(answer->value("chain", ""))->leaf.get()), std::vector<std::string>{"n2"});
  EXPECT_NE(refusal(asking(token.secret, "n1")).find("has been used, by \"n2\" from 192.0.2.23"),
            std::string::npos);
  // Also after a restart of the daemon.
  desk_ = make_desk();
  EXPECT_NE(refusal(asking(token.secret, "n1")).find("has been used"), std::string::npos);
}

TEST_F(Desk, WhatIsRefusedIsNamedAndSpendsNothing) {
  const std::string any = token().secret, n1 = token("node", "n1").secret, l4 = token("l4").secret;
  there_ = "n1";
  Json no_time = asking(any, "n2");
  no_time.erase("time");
  Json wrong_key = asking(any, "n2");
  wrong_key["request"] = make_request(make_key().get(), "n1");
  Json newer = asking(any, "n2");
  newer["protocol"] = control::kProtocolVersion + 2;
  const struct {
    const char* why;
    Json params;
    std::string refusal;
  } rows[] = {
      {"unknown token", asking(std::string(32, '0'), "n2"), "knows no such token"},
      {"another name", asking(n1, "n2"), "the token is for \"n1\", not for \"n2\""},
      {"not in the config", asking(any, "n3"), "there is no [[node]] \"n3\" in the site's config"},
      {"another role", asking(any, "l4b"), "there is no [[node]] \"l4b\""},
      {"a node as L4 host", asking(l4, "n2"), "there is no [[l4_host]] \"n2\""},
      {"there already", asking(n1, "n1"), "\"n1\" is there, with a link to this host"},
      {"clock behind", asking(any, "n2", now_ - 121), "the clock of the host that joins is 121 s behind"},
      {"clock ahead", asking(any, "n2", now_ + 4000), "is 4000 s ahead of"},
      {"clock nonsense", asking(any, "n2", INT64_MIN), "s behind"},
      {"request for another name", wrong_key, "expected one for \"n2\" alone, found \"n1\""},
      {"a field is missing", no_time, "join.time: expected a number"},
      {"another protocol", newer, "of the control protocol"},
      {"no object", Json::array(), "expected an object"},
  };
  int source = 0;
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const std::string refused = refusal(row.params, "192.0.2." + std::to_string(++source) + ":40000");
    EXPECT_NE(refused.find(row.refusal), std::string::npos) << refused;
  }
  there_.clear();
  for (const auto& [secret, name] : {std::pair(any, "n2"), std::pair(n1, "n1"), std::pair(l4, "l4b")}) {
    EXPECT_EQ(refusal(asking(secret, name)), "") << name;
  }
}

TEST_F(Desk, WhoIsRefusedOftenMustWaitAndNobodyElse) {
  const std::string secret = token().secret;
  for (int i = 0; i < JoinDesk::kRefusals; ++i)
    EXPECT_NE(refusal(asking("x", "n1")).find("no such token"), std::string::npos);
  EXPECT_NE(refusal(asking(secret, "n1")).find("refused too often"), std::string::npos);
  EXPECT_NE(refusal(asking("x", "n1"), "192.0.2.98:1").find("no such token"), std::string::npos);
  now_ += JoinDesk::kSecondsPerRefusal;
  EXPECT_NE(refusal(asking("x", "n1")).find("no such token"), std::string::npos);
  EXPECT_NE(refusal(asking(secret, "n1")).find("refused too often"), std::string::npos);
  // Whoever has an IPv6 address has its /64.
  for (int i = 0; i < JoinDesk::kRefusals; ++i)
    refusal(asking("x", "n1"), "[2001:db8::" + std::to_string(i) + "]:1");
  EXPECT_NE(refusal(asking(secret, "n1"), "[2001:db8::ffff]:1").find("refused too often"), std::string::npos);
  now_ += JoinDesk::kSecondsPerRefusal;
  EXPECT_EQ(refusal(asking(secret, "n1")), "");
}

TEST_F(Desk, TokensAreMadeWhereTheAuthorityIsForHostsOfTheConfig) {
  const struct {
    const char* role;
    const char* name;
    std::int64_t seconds;
    std::string refusal;
  } rows[] = {
      {"worker", "", 600, "token.role: expected node or l4"},
      {"node", "n9", 600, "there is no [[node]] \"n9\""},
      {"l4", "n1", 600, "there is no [[l4_host]] \"n1\""},
      {"node", "", 0, "expected a life of a second to 7 days"},
      {"node", "", 8 * 24 * 3600, "expected a life of a second to 7 days"},
  };
  for (const auto& row : rows) {
    const auto made = desk_.make_token({{"role", row.role}, {"name", row.name}, {"seconds", row.seconds}});
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find(row.refusal), std::string::npos) << made.error().message;
  }
  config_.control.authority = folder_.path() + "/elsewhere";
  const auto made = desk_.make_token({{"role", "node"}, {"name", ""}, {"seconds", 600}});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("this host has no authority"), std::string::npos)
      << made.error().message;
  EXPECT_FALSE(desk_.is_open());
}

TEST_F(Desk, RenewsForWhomTheConfigHas) {
  const Json params = {{"request", make_request(key_.get(), "n1")}};
  const auto renewed = desk_.renew(Role::kNode, "n1", params);
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_TRUE(check_identity(renewed->value("chain", ""), renewed->value("ca", ""), key_to_pem(key_.get())));
  EXPECT_FALSE(desk_.renew(Role::kNode, "n2", params)) << "a request for another name";
  config_.nodes.erase(config_.nodes.begin());
  const auto removed = desk_.renew(Role::kNode, "n1", params);
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().message.find("there is no [[node]] \"n1\""), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::identity
