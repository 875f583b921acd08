// A host's identity is read again when it has changed, and renewed before it ends.
#include "common/identity/identity_keeper.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/files.h"
#include "tests/common/identity/site_files.h"
#include "tests/support/turn_until.h"

namespace gatehouse::identity {
namespace {

using control::Json;
using std::chrono::seconds;

class Keeper : public testing::Test {
 protected:
  // As an L4 host with the authority does it.
  void answer(const std::string& request, control::Reply reply) {
    ++asked_;
    if (!refusal_.empty()) return reply(Error{refusal_});
    const auto issued = site_.open().issue(request, "n1", Role::kNode, seconds(3600));
    if (!issued) return reply(issued.error());
    reply(Json{{"chain", issued->chain}, {"ca", issued->ca}});
  }
  std::string problem() const { return keeper_.status().value("problem", ""); }
  static std::string text(const std::string& file) { return *read_file(file); }

  const SiteFiles site_;
  EventLoop loop_;
  int asked_ = 0;
  std::string refusal_;
  IdentityKeeper keeper_{
      loop_, [this](const std::string& request, control::Reply reply) { answer(request, std::move(reply)); }};
};

TEST_F(Keeper, RenewsWhatIsDueInOneFileThatOnlyItsOwnerReads) {
  const config::Control control = site_.identity("n1", Role::kNode, seconds(10));
  const std::string before = text(control.certificate);
  ASSERT_TRUE(keeper_.use(control));
  EXPECT_EQ(keeper_.status().value("days_left", -1), 0);
  EXPECT_TRUE(test::turn_until(loop_, [&] { return text(control.certificate) != before; }));
  EXPECT_NE(text(control.certificate).substr(0, before.find("CERT")), before.substr(0, before.find("CERT")))
      << "the key is new";
  struct stat info {};
  ASSERT_EQ(stat(control.certificate.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(problem(), "");
  EXPECT_EQ(asked_, 1);
  EXPECT_TRUE(control::load_tls_identity(control));
}

TEST_F(Keeper, ARefusalIsSaidAndTriedAgain) {
  const config::Control control = site_.identity("n1", Role::kNode, seconds(10));
  const std::string before = text(control.certificate);
  refusal_ = "l4a: this host has no authority";
  ASSERT_TRUE(keeper_.use(control));
  EXPECT_TRUE(test::turn_until(loop_, [&] { return asked_ >= 2; }));
  EXPECT_NE(problem().find("this host has no authority"), std::string::npos) << problem();
  EXPECT_EQ(text(control.certificate), before);
  refusal_.clear();
  EXPECT_TRUE(test::turn_until(loop_, [&] { return text(control.certificate) != before; }));
  EXPECT_EQ(problem(), "");
}

TEST_F(Keeper, AnotherAuthorityMeansANewCertificateAtOnce) {
  const config::Control control = site_.identity("n1", Role::kNode);
  ASSERT_TRUE(keeper_.use(control));
  keeper_.hear_authority({{"pin", site_.open().pin()}});
  ASSERT_TRUE(SiteAuthority::rotate(site_.authority(), "edge"));
  keeper_.hear_authority({{"pin", site_.open().pin()}});
  const std::string before = text(control.ca);
  EXPECT_TRUE(test::turn_until(loop_, [&] { return asked_ == 1; }));
  EXPECT_NE(text(control.ca), before);
  keeper_.hear_authority({{"pin", site_.open().pin()}});
  keeper_.hear_authority({{"pin", 5}});
  const auto end = EventLoop::Clock::now() + seconds(2);
  EXPECT_TRUE(test::turn_until(loop_, [&] { return EventLoop::Clock::now() > end; }));
  EXPECT_EQ(asked_, 1) << "it has it";
}

TEST_F(Keeper, AnAuthorityThatDoesNotFollowItsOwnIsRefused) {
  const SiteFiles other;
  const config::Control control = other.identity("n1", Role::kNode);
  const std::string before = text(control.certificate);
  ASSERT_TRUE(keeper_.use(control));
  keeper_.hear_authority({{"pin", site_.open().pin()}});
  EXPECT_TRUE(test::turn_until(loop_, [&] { return !problem().empty(); }));
  EXPECT_NE(problem().find("is not, and does not follow, the one of this host's certificate"),
            std::string::npos)
      << problem();
  EXPECT_EQ(text(control.certificate), before);
}

TEST_F(Keeper, FilesThatSomebodyReplacesAreReadAgainAndBadOnesAreNot) {
  const config::Control control = site_.identity("n1", Role::kNode);
  ASSERT_TRUE(keeper_.use(control));
  const auto identity = keeper_.identity();
  const auto* first = identity.get();
  const std::string good = text(control.certificate);
  ASSERT_TRUE(replace_file(control.certificate, good.substr(0, good.size() / 2)));
  EXPECT_TRUE(test::turn_until(loop_, [&] { return problem().find("stays as it was") != std::string::npos; }))
      << problem();
  site_.identity("n1", Role::kNode);
  EXPECT_TRUE(test::turn_until(loop_, [&] { return problem().empty(); })) << problem();
  EXPECT_EQ(keeper_.identity().get(), first) << "whoever has it has what is new";
}

TEST_F(Keeper, AConfigThatNamesABadFileChangesNothing) {
  const config::Control control = site_.identity("n1", Role::kNode);
  ASSERT_TRUE(keeper_.use(control));
  config::Control bad = control;
  bad.ca = "/nonexistent";
  EXPECT_FALSE(keeper_.use(bad));
  EXPECT_EQ(keeper_.status().value("name", ""), "n1");
  EXPECT_TRUE(keeper_.use(site_.identity("n2", Role::kNode)));
  EXPECT_EQ(keeper_.status().value("name", ""), "n2");
}

}  // namespace
}  // namespace gatehouse::identity
