// Config × health × drain → addresses on interfaces, in a network of the test's own. Needs root.
#include "l4/announcer.h"

#include <net/if.h>

#include "tests/l4/director_site.h"

namespace gatehouse::l4 {
namespace {

using Addresses = std::vector<IpAddress>;

class AnnouncerTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!network_.is_ready()) GTEST_SKIP() << "network namespaces need root";
    target_.emplace(site_.loop);
    target_->answering = {1, 2, 3};
    site_.probe(*target_);
    // As an earlier daemon left it: the nodes are up until probes fail.
    site_.remember({DirectorSite::all_active()});
    config::Bgp& bgp = site_.config.bgp.emplace();
    bgp.min_healthy = 50;
    bgp.announce_after = Duration(100);
    ASSERT_TRUE(site_.start());
  }

  Announcer& begin(std::map<std::string, Fd> inherited = {}) {
    announcer_.reset();
    announcer_.emplace(site_.loop, *site_.director,
                       Announcer::Options{site_.folder / "host_drain", std::move(inherited)});
    announcer_->set_config(site_.config);
    return *announcer_;
  }
  // Also the director's, as a reload does it.
  void change_config() {
    ASSERT_TRUE(site_.director->set_config(site_.config));
    announcer_->set_config(site_.config);
  }
  config::BgpAnchor anchor(const std::string& interface, const std::vector<std::string>& vips) {
    return {interface, vips};
  }

  // "ADDRESS STATE on INTERFACE" of each address, with the reason if there is one.
  std::string said() const {
    std::string text;
    for (const auto& row : announcer_->status()) {
      text += (text.empty() ? "" : "; ") + row.value("address", "") + " " + row.value("state", "") + " on " +
              row.value("interface", "");
      if (const std::string reason = row.value("reason", ""); !reason.empty()) text += " (" + reason + ")";
    }
    return text;
  }
  void expect_said(const std::string& wanted) {
    turn_until(site_.loop, [&] { return said() == wanted; });
    EXPECT_EQ(said(), wanted);
  }
  static bool is_there(const char* interface) { return if_nametoindex(interface) != 0; }

  PrivateNetwork network_;
  DirectorSite site_;
  std::optional<ProbeTarget> target_;
  std::optional<Announcer> announcer_;
};

constexpr const char* kBoth = "198.51.100.10 announced on gh-vip0; 2001:db8:1::10 announced on gh-vip0";

TEST_F(AnnouncerTest, AnnouncesWhileEnoughNodesAnswer) {
  begin();
  EXPECT_TRUE(said().find("well for less than 100ms") != std::string::npos) << said();
  expect_said(kBoth);
  target_->answering = {1};
  expect_said(
      "198.51.100.10 withdrawn on gh-vip0 (1 of 3 answer, min_healthy is 50 %); "
      "2001:db8:1::10 withdrawn on gh-vip0 (1 of 3 answer, min_healthy is 50 %)");
  target_->answering = {1, 2};
  expect_said(kBoth);
}

TEST_F(AnnouncerTest, AReloadMovesVipsBetweenAnchors) {
  begin();
  expect_said(kBoth);
  site_.config.bgp->announce_after = Duration(3'600'000);
  site_.config.bgp->anchors = {anchor("gh-six", {"web6"}), anchor("gh-vip0", {"web", "dns"})};
  change_config();
  EXPECT_EQ(said(), "2001:db8:1::10 announced on gh-six; 198.51.100.10 announced on gh-vip0");
  site_.config.bgp->anchors = {anchor("gh-six", {"web6"})};
  change_config();
  expect_said("2001:db8:1::10 announced on gh-six");
  EXPECT_FALSE(is_there("gh-vip0"));
  site_.config.bgp.reset();
  change_config();
  EXPECT_EQ(said(), "");
  EXPECT_FALSE(is_there("gh-six"));
}

TEST_F(AnnouncerTest, TakesInterfacesOverWithWhatTheyAnnounce) {
  site_.config.bgp->announce_after = Duration(3'600'000);
  auto earlier = AnchorDevice::create("gh-vip0"), stale = AnchorDevice::create("gh-stale");
  ASSERT_TRUE(earlier && stale);
  ASSERT_TRUE(earlier->keep({ip("198.51.100.10"), ip("192.0.2.99")}, Duration(30'000)));
  std::map<std::string, Fd> inherited;
  inherited.emplace("gh-vip0", Fd(dup(earlier->fd())));
  inherited.emplace("gh-stale", Fd(dup(stale->fd())));
  inherited.emplace("gh-nothing", Fd(dup(0)));
  begin(std::move(inherited));
  *stale = std::move(*AnchorDevice::create("gh-other"));
  EXPECT_FALSE(is_there("gh-stale")) << "nobody announces by it any more";
  EXPECT_EQ(
      said(),
      "198.51.100.10 announced on gh-vip0; 2001:db8:1::10 withdrawn on gh-vip0 (well for less than 1h)");
  EXPECT_EQ(*earlier->addresses(), Addresses{ip("198.51.100.10")}) << "an address of an earlier config";
}

TEST_F(AnnouncerTest, ADrainHoldsForTheNextDaemon) {
  begin();
  expect_said(kBoth);
  ASSERT_TRUE(announcer_->drain(true));
  EXPECT_EQ(said(),
            "198.51.100.10 withdrawn on gh-vip0 (this host is drained); 2001:db8:1::10 withdrawn on gh-vip0 "
            "(this host is drained)");
  site_.config.bgp->drain = "med";
  begin();
  expect_said(
      "198.51.100.10 last resort on gh-vip0-d (this host is drained); "
      "2001:db8:1::10 last resort on gh-vip0-d (this host is drained)");
  ASSERT_TRUE(announcer_->drain(false));
  EXPECT_EQ(said(), kBoth);
  begin();
  expect_said(kBoth);
}

TEST_F(AnnouncerTest, MakesAnInterfaceAnewThatSomebodyRemoved) {
  begin();
  expect_said(kBoth);
  ASSERT_EQ(std::system("ip link delete gh-vip0"), 0);
  ASSERT_FALSE(is_there("gh-vip0"));
  turn_until(site_.loop, [&] { return is_there("gh-vip0"); });
  expect_said(kBoth);
}

TEST_F(AnnouncerTest, SaysSoWhenAnInterfaceCannotBeMade) {
  const auto other = AnchorDevice::create("gh-vip0");
  ASSERT_TRUE(other);
  begin();
  const std::string reason = " (cannot make the interface gh-vip0: Device or resource busy)";
  expect_said("198.51.100.10 failed on gh-vip0" + reason + "; 2001:db8:1::10 failed on gh-vip0" + reason);
}

TEST_F(AnnouncerTest, WithoutTheSectionThereIsNothingToDrain) {
  site_.config.bgp.reset();
  begin();
  const Status drained = announcer_->drain(true);
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().message, "this L4 host announces nothing: there is no [bgp] in its config");
}

}  // namespace
}  // namespace gatehouse::l4
