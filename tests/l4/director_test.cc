// From config and membership to tables. Probes fail here, all of them, which is no evidence against any node.
#include "l4/director.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/l4/director_site.h"

namespace gatehouse::l4 {
namespace {

using Ids = std::set<std::uint16_t>;

TEST(Director, FillsTheTablesAtItsStart) {
  DirectorSite site;
  const Status started = site.start();
  ASSERT_TRUE(started) << started.error().message;
  const gh_identity& identity = *gh_get_identity(site.plane.tables().state);
  EXPECT_EQ(from_table_address(identity.gue_v4.address), ip("192.0.2.11"));
  EXPECT_EQ(from_table_address(identity.gue_v6.address), ip("2001:db8::11"));
  EXPECT_EQ(identity.mtu, 1500u);
  EXPECT_EQ(site.destination(1), ip("192.0.2.21"));
  EXPECT_EQ(site.destination(3), ip("192.0.2.23"));
  std::uint16_t number = 0;
  for (const config::Vip& vip : site.config.vips)
    EXPECT_EQ(site.director->vip_number(vip), number++) << vip.name;
  EXPECT_EQ(site.states(), "down down down");
  turn_for(site.loop, Duration(300));
  EXPECT_TRUE(site.ring().empty()) << "nobody has been up";
  EXPECT_EQ(site.generations(), 0u);
  EXPECT_FALSE(std::filesystem::exists(site.membership_file()));
}

TEST(Director, TakesItsAddressFamilyAsItIs) {
  DirectorSite site;
  site.host.address = ip("2001:db8::11");
  site.host.address_v6.reset();
  site.config.nodes = {DirectorSite::node(1, "2001:db8::21")};
  ASSERT_TRUE(site.start());
  const gh_identity& identity = *gh_get_identity(site.plane.tables().state);
  EXPECT_EQ(from_table_address(identity.gue_v6.address), ip("2001:db8::11"));
  EXPECT_TRUE(from_table_address(identity.gue_v4.address).is_unspecified());
}

// ---- VIPs ----

std::vector<std::uint16_t> numbers_of(const DirectorSite& site, const std::vector<config::Vip>& vips) {
  std::vector<std::uint16_t> numbers;
  for (const config::Vip& vip : vips) numbers.push_back(site.director->vip_number(vip));
  return numbers;
}

TEST(Director, KeepsTheNumbersAndCountersOfVips) {
  DirectorSite site;
  ASSERT_TRUE(site.start());
  const std::vector<config::Vip> before = site.config.vips;
  auto& traffic = site.plane.tables().cpus[0].vips;
  for (std::uint16_t number : {0, 1, 2}) traffic[number].packets = 100u + number;
  const config::Vip other = DirectorSite::vip("mail", "198.51.100.11", 25),
                    more = DirectorSite::vip("more", "198.51.100.12", 80);
  site.config.vips = {other, before[2], more, before[0]};
  ASSERT_TRUE(site.director->set_config(site.config));
  EXPECT_EQ(numbers_of(site, site.config.vips), (std::vector<std::uint16_t>{3, 2, 4, 0})) << "packets may still count under 1";
  EXPECT_EQ(traffic[0].packets, 100u);
  EXPECT_EQ(traffic[2].packets, 102u);
  EXPECT_EQ(site.director->vip_number(before[1]), 0u) << "unknown";
  const auto all = verdict_counts(site.plane.tables())[GH_FORWARDED];
  site.config.vips.push_back(DirectorSite::vip("last", "198.51.100.13", 80));
  ASSERT_TRUE(site.director->set_config(site.config));
  EXPECT_EQ(site.director->vip_number(site.config.vips.back()), 1u);
  EXPECT_EQ(traffic[1].packets, 0u) << "the counters of a VIP that has gone are not the next one's";
  EXPECT_EQ(verdict_counts(site.plane.tables())[GH_FORWARDED], all) << "but nothing is forgotten";
}

TEST(Director, KeepsTheNumbersOfAnEarlierDaemon) {
  DirectorSite site;
  ASSERT_TRUE(site.start());
  site.plane.tables().cpus[0].vips[2].packets = 7;
  std::reverse(site.config.vips.begin(), site.config.vips.end());
  ASSERT_TRUE(site.start()) << "over the same tables";
  EXPECT_EQ(numbers_of(site, site.config.vips), (std::vector<std::uint16_t>{2, 1, 0}));
  EXPECT_EQ(vip_traffic(site.plane.tables(), 2).packets, 7u);
}

TEST(Director, ConfigThatDoesNotFitChangesNothing) {
  DirectorSite site;
  ASSERT_TRUE(site.start());
  config::Config larger = site.config;
  larger.digest = 1;
  larger.nodes[0].address = ip("192.0.2.99");
  for (std::uint16_t port = 1; port < 5000; ++port)
    larger.vips.push_back(DirectorSite::vip("v", "198.51.100.77", port));
  const Status set = site.director->set_config(larger);
  ASSERT_FALSE(set);
  EXPECT_TRUE(set.error().message.starts_with("the VIP table is full at ")) << set.error().message;
  EXPECT_EQ(site.director->config().digest, site.config.digest);
  EXPECT_EQ(site.destination(1), ip("192.0.2.21"));
  EXPECT_EQ(numbers_of(site, site.config.vips), (std::vector<std::uint16_t>{0, 1, 2}));
}

// ---- The membership log ----

TEST(Director, GoesOnWhereTheLogIs) {
  DirectorSite site;
  const std::vector<std::vector<Member>> log = {
      DirectorSite::all_active(2),
      {{1, 100, MemberState::kActive}, {2, 100, MemberState::kActive}, {3, 100, MemberState::kActive}},
      {{1, 100, MemberState::kActive}, {2, 100, MemberState::kDraining}, {3, 100, MemberState::kDown}}};
  site.remember(log);
  ASSERT_TRUE(site.start());
  EXPECT_EQ(site.states(), "active draining down");
  const auto& generations = site.director->membership().generations();
  const auto expected = compile_ring(generations, DirectorSite::kSlots);
  EXPECT_EQ(site.ring(), expected) << "at once, without any evidence";
  EXPECT_EQ(gh_ring_epoch(site.plane.tables().groups[0].ring), 3);
  const std::uint64_t digest = site.digest();
  ASSERT_TRUE(site.start());
  turn_for(site.loop, Duration(100));
  EXPECT_EQ(site.digest(), digest) << "and another daemon just the same";
  EXPECT_EQ(site.generations(), 3u);
}

TEST(Director, ANodeThatGotAnotherAddressWhileTheDaemonWasAwayIsAnotherMachine) {
  DirectorSite site;
  site.remember({DirectorSite::all_active()});
  site.config.nodes[1].address = ip("192.0.2.99");
  ASSERT_TRUE(site.start());
  EXPECT_EQ(site.states(), "active down active");
  EXPECT_EQ(site.owners(), (Ids{1, 3}));
  EXPECT_FALSE(site.earlier_owners().contains(2)) << "it never owned a flow";
}

TEST(Director, ReadsALogWithoutAddressesAndRosters) {
  DirectorSite site;
  Membership log;
  log.append(DirectorSite::all_active(), 1'700'000'000);
  ASSERT_TRUE(log.save(site.membership_file()));
  site.config.ring.hop_deadline = Duration(100'000'000'000);
  ASSERT_TRUE(site.start());
  EXPECT_EQ(site.states(), "active active active");
  EXPECT_EQ(site.ring(), compile_ring(log.generations(), DirectorSite::kSlots)) << "and hop lists of the owners alone";
}

TEST(Director, MayEndWhileAChangeIsDue) {
  DirectorSite site;
  site.remember({DirectorSite::all_active()});
  ASSERT_TRUE(site.start());
  site.director->on_report(site.report(2, true, 5));
  site.director.reset();
  site.loop.turn(Duration(0));
}

TEST(Director, KeepsABrokenLogAsideAndBeginsAnew) {
  DirectorSite site;
  std::ofstream(site.membership_file()) << "{";
  const Status started = site.start();
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_FALSE(std::filesystem::exists(site.membership_file()));
  EXPECT_TRUE(std::filesystem::exists(site.membership_file() + ".broken"));
  EXPECT_EQ(site.epoch(), 0);
}

TEST(Director, AllProbesFailingAtOnceChangeNothing) {
  DirectorSite site;
  site.remember({DirectorSite::all_active()});
  ASSERT_TRUE(site.start());
  const auto ring = site.ring();
  turn_until(site.loop, [&] {
    const auto& nodes = site.director->nodes();
    return std::none_of(nodes.begin(), nodes.end(),
                        [](const auto& entry) { return entry.second.probe->is_up(); });
  });
  turn_for(site.loop, Duration(500));
  EXPECT_EQ(site.states(), "active active active");
  EXPECT_EQ(site.generations(), 1u);
  EXPECT_EQ(site.ring(), ring);
}

TEST(Director, ForgetsEarlierOwnersAfterTheHopDeadline) {
  DirectorSite site;
  site.config.ring.hop_deadline = Duration(1'000);
  site.remember(
      {DirectorSite::all_active(),
       {{1, 100, MemberState::kActive}, {2, 100, MemberState::kActive}, {3, 100, MemberState::kDraining}}});
  ASSERT_TRUE(site.start());
  ASSERT_EQ(site.generations(), 2u);
  EXPECT_TRUE(site.earlier_owners().contains(3));
  turn_until(site.loop, [&] { return site.generations() == 1; });
  EXPECT_EQ(site.earlier_owners(), Ids{});
  EXPECT_EQ(site.owners(), (Ids{1, 2}));
  EXPECT_EQ(site.ring(), compile_ring(site.director->membership().generations(), DirectorSite::kSlots));
  EXPECT_EQ(Membership::load(site.membership_file())->generations().size(), 1u);
}

TEST(Director, ForgetsAtItsStartWhatIsOldByThen) {
  DirectorSite site;
  site.config.ring.hop_deadline = Duration(10'000);
  site.remember({DirectorSite::all_active(2), DirectorSite::all_active()}, 60);
  ASSERT_TRUE(site.start());
  EXPECT_EQ(site.generations(), 1u);
  EXPECT_EQ(site.earlier_owners(), Ids{});
}

// ---- Reports and config ----

class RunningDirector : public testing::Test {
 protected:
  RunningDirector() {
    site_.remember({DirectorSite::all_active()});
    const Status started = site_.start();
    EXPECT_TRUE(started);
    site_.loop.turn(Duration(0));
  }
  void report(std::uint16_t node, bool is_draining, std::uint64_t connections) {
    site_.director->on_report(site_.report(node, is_draining, connections));
    site_.loop.turn(Duration(0));
  }
  DirectorSite site_;
};

TEST_F(RunningDirector, DrainsInThreeSteps) {
  report(2, true, 5);
  EXPECT_EQ(site_.states(), "active draining active");
  EXPECT_EQ(site_.epoch(), 2);
  EXPECT_EQ(site_.owners(), (Ids{1, 3}));
  EXPECT_TRUE(site_.earlier_owners().contains(2)) << "its connections go on";
  report(2, true, 4);
  EXPECT_EQ(site_.epoch(), 2) << "nothing new";
  const auto begin = EventLoop::Clock::now();
  turn_until(site_.loop, [&] {
    report(2, true, 0);
    return site_.epoch() == 3;
  });
  EXPECT_GT(EventLoop::Clock::now() - begin, Duration(2'500)) << "what was on its way has arrived";
  EXPECT_FALSE(site_.earlier_owners().contains(2)) << "it has nothing left to be asked for";
  report(2, false, 0);
  EXPECT_EQ(site_.states(), "active active active");
  EXPECT_EQ(site_.epoch(), 4);
  EXPECT_EQ(site_.owners(), (Ids{1, 2, 3}));
}

TEST_F(RunningDirector, AConnectionInTheMiddleOfADrainKeepsTheNodeInTheHopLists) {
  report(2, true, 0);
  turn_for(site_.loop, Duration(2'000));
  report(2, true, 1);
  turn_for(site_.loop, Duration(1'500));
  report(2, true, 0);
  EXPECT_EQ(site_.epoch(), 2);
  EXPECT_TRUE(site_.earlier_owners().contains(2));
}

TEST_F(RunningDirector, ReportsWithoutNewsMakeNoGeneration) {
  const std::uint64_t digest = site_.digest();
  for (std::uint16_t node : {1, 2, 3, 1}) report(node, false, 100u * node);
  EXPECT_EQ(site_.epoch(), 1);
  EXPECT_EQ(site_.digest(), digest);
  EXPECT_EQ(site_.director->find_node(2)->report.connections, 200u);
}

TEST_F(RunningDirector, ChangesOfOneTurnAreOneGeneration) {
  site_.director->on_report(site_.report(1, true, 1));
  site_.director->on_report(site_.report(2, true, 1));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.epoch(), 2);
  EXPECT_EQ(site_.states(), "draining draining active");
  EXPECT_EQ(site_.owners(), Ids{3});
}

TEST_F(RunningDirector, KeepsTheRingWhenNobodyIsLeft) {
  for (std::uint16_t node : {1, 2, 3}) report(node, true, 0);
  EXPECT_EQ(site_.states(), "draining draining draining");
  EXPECT_EQ(site_.owners(), Ids{3}) << "the last one serves on";
  const auto end = EventLoop::Clock::now() + std::chrono::milliseconds(3'500);
  while (EventLoop::Clock::now() < end) {
    for (std::uint16_t node : {1, 2, 3}) report(node, true, 0);
    turn_for(site_.loop, Duration(50));
  }
  EXPECT_EQ(site_.owners(), Ids{3}) << "also when none of them has a connection left";
}

TEST_F(RunningDirector, DrainingNodesThatAreAllThereIsServeOn) {
  for (std::uint16_t node : {1, 2, 3}) site_.director->on_report(site_.report(node, true, 9));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.states(), "draining draining draining");
  EXPECT_EQ(site_.owners(), (Ids{1, 2, 3}));
}

TEST_F(RunningDirector, WeightsChangeShares) {
  EXPECT_NEAR(site_.director->rings().share_of(1), 1.0 / 3, 0.02);
  site_.config.nodes[0].weight = 200;
  ASSERT_TRUE(site_.director->set_config(site_.config));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.epoch(), 2);
  EXPECT_NEAR(site_.director->rings().share_of(1), 0.5, 0.02);
  EXPECT_NEAR(site_.director->rings().share_of(2), 0.25, 0.02);
}

TEST_F(RunningDirector, NodesOfTheConfigComeAndGo) {
  const config::Node gone = site_.config.nodes[0];
  site_.config.nodes.erase(site_.config.nodes.begin());
  site_.config.nodes.push_back(DirectorSite::node(4, "192.0.2.24"));
  ASSERT_TRUE(site_.director->set_config(site_.config));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.director->find_node(1), nullptr);
  EXPECT_EQ(site_.states(), "active active down") << "a new one has yet to say hello";
  EXPECT_EQ(site_.owners(), (Ids{2, 3}));
  EXPECT_EQ(site_.earlier_owners().count(1), 0u);
  EXPECT_EQ(site_.destination(4), ip("192.0.2.24"));
  site_.director->on_hello(4);
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.states(), "active active down") << "and no probe has reached it";
}

TEST_F(RunningDirector, AnotherAddressIsAnotherMachine) {
  site_.config.nodes[1].address = ip("192.0.2.99");
  ASSERT_TRUE(site_.director->set_config(site_.config));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.destination(2), ip("192.0.2.99"));
  EXPECT_EQ(site_.states(), "active down active");
  EXPECT_EQ(site_.owners(), (Ids{1, 3}));
}

TEST_F(RunningDirector, TheSameConfigChangesNothing) {
  const std::uint64_t digest = site_.digest();
  const NodeProbe* probe = site_.director->find_node(1)->probe.get();
  ASSERT_TRUE(site_.director->set_config(site_.config));
  site_.loop.turn(Duration(0));
  EXPECT_EQ(site_.epoch(), 1);
  EXPECT_EQ(site_.digest(), digest);
  EXPECT_EQ(site_.director->find_node(1)->probe.get(), probe) << "what is known of the nodes stays";
}

TEST_F(RunningDirector, TakesAnotherMtuAndRefusesAnotherSecret) {
  site_.config.site.fabric_mtu = 1600;
  ASSERT_TRUE(site_.director->set_config(site_.config));
  EXPECT_EQ(gh_get_identity(site_.plane.tables().state)->mtu, 1600u);
  const std::uint64_t key = gh_get_identity(site_.plane.tables().state)->hash_key[0];
  site_.config.site.fabric_mtu = 1700;
  site_.config.site.secret_file = site_.folder / "secret";
  EXPECT_FALSE(site_.director->set_config(site_.config)) << "there is no such file";
  std::ofstream(site_.config.site.secret_file) << "0123456789abcdef";
  EXPECT_FALSE(site_.director->set_config(site_.config)) << "every flow would move";
  EXPECT_EQ(gh_get_identity(site_.plane.tables().state)->hash_key[0], key);
  EXPECT_EQ(gh_get_identity(site_.plane.tables().state)->mtu, 1600u);
}

// ---- The flow key ----

TEST(FlowKey, ABrokenSecretIsNoStart) {
  DirectorSite site;
  site.config.site.secret_file = site.folder / "none";
  const Status started = site.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message,
            "site.secret_file: cannot read " + site.config.site.secret_file + ": No such file or directory");
}

TEST(FlowKey, ComesFromTheContentOfTheSecretFile) {
  const std::string file = testing::TempDir() + "flow_key_test." + std::to_string(getpid()),
                    copy = file + ".copy";
  std::uint64_t fixed[4], key[4], again[4], other[4];
  ASSERT_TRUE(read_flow_key("", fixed));
  std::ofstream(file) << "0123456789abcdef";
  std::ofstream(copy) << "0123456789abcdef";
  ASSERT_TRUE(read_flow_key(file, key));
  ASSERT_TRUE(read_flow_key(copy, again));
  EXPECT_EQ(std::memcmp(key, again, sizeof key), 0);
  EXPECT_NE(std::memcmp(key, fixed, sizeof key), 0);
  std::ofstream(copy) << "0123456789abcdeg";
  ASSERT_TRUE(read_flow_key(copy, other));
  EXPECT_NE(std::memcmp(key, other, sizeof key), 0);
  std::filesystem::remove(file);
  std::filesystem::remove(copy);
}

TEST(FlowKey, ErrorsNameTheFile) {
  const std::string folder = testing::TempDir(), file = folder + "flow_key_test." + std::to_string(getpid());
  std::uint64_t key[4];
  EXPECT_EQ(read_flow_key(file, key).error().message,
            "site.secret_file: cannot read " + file + ": No such file or directory");
  std::ofstream(file) << "0123456789abcde";
  EXPECT_EQ(read_flow_key(file, key).error().message,
            "site.secret_file: " + file + " has 15 bytes; expected 16 or more");
  std::filesystem::remove(file);
  EXPECT_EQ(read_flow_key(folder, key).error().message,
            "site.secret_file: " + folder + " has 0 bytes; expected 16 or more");
}

}  // namespace
}  // namespace gatehouse::l4
