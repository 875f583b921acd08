// The one door for hosts without a certificate: what may come through, and that nothing else does.
#include <gtest/gtest.h>
#include <netinet/in.h>

#include "common/control/channel.h"
#include "common/identity/joiner.h"
#include "tests/common/control_ends.h"
#include "tests/common/identity/site_files.h"

namespace gatehouse::identity {
namespace {

using control::Channel;
using control::End;
using control::Json;
using control::Reply;
using control::turn_until;
using Told = std::vector<std::string>;

class Strangers : public testing::Test {
 protected:
  void SetUp() override { serve("l4a", Role::kL4Host); }

  void serve(const std::string& name, Role role) {
    server_.reset();
    endpoint_.port = 0;
    sockaddr_storage storage;
    socklen_t length = to_sockaddr(endpoint_, storage);
    {
      const Fd free(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      ASSERT_EQ(bind(free.get(), reinterpret_cast<const sockaddr*>(&storage), length), 0);
      ASSERT_EQ(getsockname(free.get(), reinterpret_cast<sockaddr*>(&storage), &length), 0);
      endpoint_ = Endpoint::from_sockaddr(storage);
    }
    control::Strangers strangers;
    strangers.are_welcome = [this] { return is_open_; };
    strangers.on_request = [this](Channel& channel, std::string_view method, const Json& params,
                                  Reply reply) {
      asked_.push_back(std::string(method) + " " + params.dump());
      if (method != "join") return channel.close("not that");
      reply(Json("welcome"));
    };
    auto server = control::listen_tcp(loop_, endpoint_, load(site_.identity(name, role)), members_.handlers(),
                                      strangers);
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  static std::shared_ptr<control::TlsIdentity> load(const config::Control& control) {
    auto loaded = control::load_tls_identity(control);
    GH_CHECK(loaded);
    return *loaded;
  }
  void dial(End& client, const std::shared_ptr<control::TlsIdentity>& identity) {
    client.channel = control::connect_tcp(loop_, endpoint_, identity, client.handlers());
  }
  void dial_as_stranger(End& client) { dial(client, control::identity_of_stranger(site_.open().pin())); }

  const SiteFiles site_;
  EventLoop loop_;
  Endpoint endpoint_{IpAddress::from_v4({127, 0, 0, 1}), 0};
  End members_;
  Told asked_;
  bool is_open_ = true;
  std::unique_ptr<control::Server> server_;
};

TEST_F(Strangers, MayAskOnceAndAreNoMembers) {
  End client;
  dial_as_stranger(client);
  client.ask("join", {{"a", 1}});
  turn_until(loop_, [&] { return client.told.size() == 2; });
  EXPECT_EQ(client.told, (Told{"open", "join = \"welcome\""}));
  EXPECT_EQ(asked_, Told{"join {\"a\":1}"});
  EXPECT_TRUE(server_->channels().empty());
  client.ask("join");
  turn_until(loop_, [&] { return client.is_closed(); });
  EXPECT_EQ(asked_.size(), 1u);
  EXPECT_TRUE(members_.told.empty()) << members_.told[0];
}

TEST_F(Strangers, AreNotHeardOtherwise) {
  const std::string large(control::kStrangersFrame, 'x');
  const struct {
    const char* why;
    std::function<void(End&)> say;
  } rows[] = {
      {"another request",
       [](End& client) {
         client.ask("hello", {{"name", "n1"}});
       }},
      {"a report", [](End& client) { client.channel->notify("health", Json::object()); }},
      {"a large frame",
       [&](End& client) {
         client.ask("join", {{"text", large}});
       }},
      {"a reply to nothing", [](End& client) { client.channel->notify("", Json::array()); }},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    End client;
    dial_as_stranger(client);
    row.say(client);
    turn_until(loop_, [&] { return client.is_closed(); });
  }
  EXPECT_TRUE(members_.told.empty()) << members_.told[0];
  EXPECT_EQ(asked_, Told{"hello {\"name\":\"n1\"}"});
}

TEST_F(Strangers, AreRefusedInTheHandshakeWhileNobodyHasAToken) {
  is_open_ = false;
  End client;
  dial_as_stranger(client);
  client.ask("join");
  turn_until(loop_, [&] { return client.is_closed() && members_.is_closed(); });
  EXPECT_EQ(members_.told, Told{"close TLS: peer did not return a certificate"});
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Strangers, WithAWrongCertificateAreRefusedAlsoWhileTheDoorIsOpen) {
  const SiteFiles other;
  config::Control control = other.identity("n1", Role::kNode);
  control.ca = site_.control("l4a").ca;
  End client;
  dial(client, load(control));
  client.ask("join");
  turn_until(loop_, [&] { return client.is_closed() && members_.is_closed(); });
  EXPECT_TRUE(members_.told[0].starts_with("close certificate refused: ")) << members_.told[0];
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Strangers, DoNotKeepMembersOut) {
  std::vector<std::unique_ptr<End>> strangers;
  for (int i = 0; i < 80; ++i) {
    strangers.push_back(std::make_unique<End>());
    dial_as_stranger(*strangers.back());
  }
  turn_until(loop_, [&] { return strangers.back()->told == Told{"open"}; });
  turn_until(loop_, [&] { return strangers.front()->is_closed(); });
  End member;
  dial(member, load(site_.identity("n1", Role::kNode)));
  member.ask("hello");
  turn_until(loop_, [&] { return members_.asked.size() == 1; });
  // Whoever was too slow for the handshake, on a slow machine, is no member.
  std::erase_if(members_.told, [](const std::string& each) { return each.starts_with("close "); });
  EXPECT_EQ(members_.told, (Told{"open", "request hello {}"}));
}

TEST_F(Strangers, TellNothingToWhomTheTokenDoesNotName) {
  const SiteFiles other;
  End pinned;
  dial(pinned, control::identity_of_stranger(other.open().pin()));
  pinned.ask("join", {{"secret", "s"}});
  turn_until(loop_, [&] { return pinned.is_closed(); });
  EXPECT_EQ(pinned.told.back(), "close certificate refused: application verification failure");
  // A node of the site that plays an L4 host.
  serve("n1", Role::kNode);
  End node;
  dial_as_stranger(node);
  node.ask("join", {{"secret", "s"}});
  turn_until(loop_, [&] { return node.is_closed(); });
  EXPECT_TRUE(node.told.back().starts_with("close certificate refused: unsuitable certificate purpose"))
      << node.told.back();
  EXPECT_TRUE(asked_.empty());
}

TEST_F(Strangers, FindTheSiteWhileItsAuthorityChanges) {
  ASSERT_TRUE(SiteAuthority::rotate(site_.authority(), "edge"));
  serve("l4a", Role::kL4Host);
  End client;
  dial_as_stranger(client);
  client.ask("join");
  turn_until(loop_, [&] { return client.told.size() == 2; });
  EXPECT_EQ(client.told.back(), "join = \"welcome\"");
}

TEST_F(Strangers, AnIdentityIsReplacedUnderOpenLinks) {
  const auto own = load(site_.identity("n1", Role::kNode));
  End before;
  dial(before, own);
  turn_until(loop_, [&] { return before.told == Told{"open"}; });
  const auto next = load(site_.identity("n2", Role::kNode));
  control::replace_identity(*own, *next);
  End after;
  dial(after, own);
  turn_until(loop_, [&] { return server_->channels().size() == 2; });
  EXPECT_EQ(server_->channels()[0]->peer_name(), "n1");
  EXPECT_EQ(server_->channels()[1]->peer_name(), "n2");
  before.ask("hello");
  turn_until(loop_, [&] { return members_.asked.size() == 1; });
  EXPECT_FALSE(before.is_closed());
}

}  // namespace
}  // namespace gatehouse::identity
