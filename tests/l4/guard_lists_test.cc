// Prefix lists by name: what config, operators and restarts make of them; and the policies that name them.
#include "common/json_fields.h"
#include "l4/guard_lists.h"

#include <gtest/gtest.h>

#include <fstream>

#include "common/config/load.h"
#include "l4/guard_control.h"
#include "l4/guard_policies.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using Names = std::vector<std::string>;
using Json = nlohmann::json;

IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

class GuardLists : public testing::Test {
 protected:
  GuardLists() { folder_ = testing::TempDir() + "gatehouse-lists-" + std::to_string(getpid()); }
  ~GuardLists() override { std::remove((folder_ + ".txt").c_str()); }

  config::Config config_of(const std::string& text) {
    const config::Loaded loaded = config::load_text(text, folder_ + ".toml");
    EXPECT_TRUE(loaded.is_valid()) << loaded.errors();
    return loaded.config;
  }
  std::string file(const std::string& text) {
    std::ofstream(folder_ + ".txt") << text;
    return "file = \"" + folder_ + ".txt\"\n";
  }
  void apply(const std::string& text, bool is_restart = false) {
    const auto masks = lists_->prepare(config_of(text), is_restart);
    ASSERT_TRUE(masks) << masks.error().message;
    lists_->commit();
    lists_->finish();
  }
  // What a reload with `text` is answered with; nothing is to have changed.
  std::string refusal(const std::string& text) {
    const auto masks = lists_->prepare(config_of(text), false);
    return masks ? "accepted" : masks.error().message;
  }
  void restart() {
    lists_ = std::make_unique<PrefixLists>(memory_.tables(), [] {});
  }
  // Names of the lists that have the longest rule for `source`.
  Names find(std::string_view source) const {
    return lists_->names_in(find_prefix_lists(memory_.tables(), address(source), ~0u));
  }

  std::string folder_;
  std::unique_ptr<gh_guard> guard_ = std::make_unique<gh_guard>();
  GuardMemory memory_{*guard_, GuardSizes{.prefixes = 1024}, 1u << 22};
  std::unique_ptr<PrefixLists> lists_ = std::make_unique<PrefixLists>(memory_.tables(), [] {});
};

const std::string kBad = "[[prefix_list]]\nname = \"bad\"\n";
const std::string kGood = "[[prefix_list]]\nname = \"good\"\naction = \"allow\"\n";

TEST_F(GuardLists, ComeFromConfigAndFile) {
  apply(kBad + "prefixes = [\"192.0.2.0/24\", \"2001:db8::/32\"]\n" +
        file("# ours\n198.51.100.0/24 ; theirs\n\n203.0.113.7\r\n") + kGood + "prefixes = [\"192.0.2.1\"]\n");
  EXPECT_EQ(find("192.0.2.2"), (Names{"bad"}));
  EXPECT_EQ(find("192.0.2.1"), (Names{"good"}));
  EXPECT_EQ(find("198.51.100.9"), (Names{"bad"}));
  EXPECT_EQ(find("203.0.113.7"), (Names{"bad"}));
  EXPECT_EQ(find("203.0.113.8"), Names{});
  EXPECT_EQ(find("2001:db8:1::"), (Names{"bad"}));
  EXPECT_EQ(lists_->size_of("bad"), 4u);
}

TEST_F(GuardLists, AReloadLeavesWhatIsTheSameWhereItIs) {
  apply(kBad + file("192.0.2.0/24\n198.51.100.0/24\n"));
  const std::size_t place = lists_->table().find_place(prefix("192.0.2.0/24"));
  apply(kBad + file("192.0.2.0/24\n203.0.113.0/24\n"));
  EXPECT_EQ(lists_->table().find_place(prefix("192.0.2.0/24")), place);
  EXPECT_EQ(find("192.0.2.1"), (Names{"bad"}));
  EXPECT_EQ(find("198.51.100.1"), Names{});
  EXPECT_EQ(find("203.0.113.1"), (Names{"bad"}));
}

TEST_F(GuardLists, WhatOperatorsChangeLastsUntilTheNextReload) {
  const std::string text = kBad + "prefixes = [\"192.0.2.0/24\"]\n";
  apply(text);
  EXPECT_EQ(lists_->add("bad", {prefix("203.0.113.0/24"), prefix("192.0.2.0/24")}).value(), 1u);
  EXPECT_EQ(lists_->remove("bad", {prefix("192.0.2.0/24"), prefix("10.0.0.0/8")}).value(), 1u);
  restart();
  apply(text, true);
  EXPECT_EQ(find("203.0.113.1"), (Names{"bad"}));
  EXPECT_EQ(find("192.0.2.1"), Names{});
  apply(text);
  EXPECT_EQ(find("203.0.113.1"), Names{});
  EXPECT_EQ(find("192.0.2.1"), (Names{"bad"}));
}

TEST_F(GuardLists, ARestartWithAnotherConfigTakesTheConfig) {
  apply(kBad + "prefixes = [\"192.0.2.0/24\"]\n");
  ASSERT_TRUE(lists_->add("bad", {prefix("203.0.113.0/24")}));
  restart();
  apply(kBad + "prefixes = [\"198.51.100.0/24\"]\n", true);
  EXPECT_EQ(find("203.0.113.1"), Names{});
  EXPECT_EQ(find("198.51.100.1"), (Names{"bad"}));
}

TEST_F(GuardLists, OneThatIsEmptyInTheConfigIsTheOperatorsOwn) {
  apply(kBad);
  ASSERT_TRUE(lists_->add("bad", {prefix("203.0.113.0/24")}));
  apply(kBad);
  restart();
  apply(kBad, true);
  EXPECT_EQ(find("203.0.113.1"), (Names{"bad"}));
}

TEST_F(GuardLists, OneThatLeavesTheConfigTakesItsRulesAlong) {
  apply(kBad + "prefixes = [\"192.0.2.0/24\", \"10.0.0.0/8\"]\n" + kGood + "prefixes = [\"10.0.0.0/8\"]\n");
  EXPECT_EQ(find("10.0.0.1"), (Names{"bad", "good"}));
  apply(kGood + "prefixes = [\"10.0.0.0/8\"]\n");
  EXPECT_EQ(find("10.0.0.1"), (Names{"good"}));
  EXPECT_EQ(find("192.0.2.1"), Names{});
  EXPECT_FALSE(lists_->add("bad", {prefix("10.0.0.0/8")}));
  EXPECT_EQ(lists_->table().size(), 1u);
}

TEST_F(GuardLists, ABadFileChangesNothingAndSaysWhere) {
  apply(kBad + file("192.0.2.0/24\n"));
  const std::string error = refusal(kBad + file("198.51.100.0/24\nnonsense\n10.0.0.1/8\n"));
  EXPECT_NE(error.find(".txt:2: expected a prefix"), std::string::npos) << error;
  EXPECT_NE(error.find(".txt:3: expected a prefix"), std::string::npos) << error;
  EXPECT_EQ(find("192.0.2.1"), (Names{"bad"}));
  EXPECT_EQ(find("198.51.100.1"), Names{});
  EXPECT_NE(refusal(kBad + "file = \"/no/such/file\"\n"), "accepted");
}

TEST_F(GuardLists, MoreThanThereIsRoomForIsRefusedWhole) {
  std::string text;
  for (int i = 0; i < 1025; ++i)
    text += "10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + "\n";
  const std::string error = refusal("[protection]\nprefixes = 1024\n" + kBad + file(text));
  EXPECT_NE(error.find("1025 prefixes"), std::string::npos) << error;
  // A whole other set of the largest size may take the place of one.
  const auto numbered = [](int network) {
    std::string lines;
    for (int i = 0; i < 1024; ++i)
      lines +=
          std::to_string(network) + ".0." + std::to_string(i / 256) + "." + std::to_string(i % 256) + "\n";
    return lines;
  };
  apply(kBad + file(numbered(10)));
  apply(kBad + file(numbered(11)));
  EXPECT_EQ(lists_->size_of("bad"), 1024u);
  EXPECT_EQ(find("11.0.3.255"), (Names{"bad"}));
  EXPECT_FALSE(lists_->add("bad", {prefix("10.0.0.0/8")}));
}

// Rules are renamed, moved, split and joined, lists change sides: what two configs agree on, all of the time
// between them agrees on. `wanted`: what a policy of the config looks for; between prepare() and finish()
// packets go by the old one or by the new one.
TEST_F(GuardLists, AReloadIsSeenWholeByThePolicyBeforeAndByTheOneAfter) {
  const std::string bad_moved = "[[prefix_list]]\nname = \"worse\"\n";
  const std::string allow_bad = "[[prefix_list]]\nname = \"bad\"\naction = \"allow\"\n";
  const std::string configs[] = {kBad + "prefixes = [\"10.0.0.0/8\"]\n",
                                 kBad + "prefixes = [\"10.0.0.0/8\"]\n" + kGood +
                                     "prefixes = [\"10.1.0.0/16\"]\n" + bad_moved +
                                     "prefixes = [\"10.1.2.0/24\"]\n",
                                 bad_moved + "prefixes = [\"10.0.0.0/8\"]\n",
                                 allow_bad + "prefixes = [\"10.0.0.0/8\"]\n" + bad_moved +
                                     "prefixes = [\"10.1.2.0/25\", \"10.1.2.128/25\"]\n",
                                 kBad + "prefixes = [\"10.1.2.3\"]\n"};
  const auto is_denied = [this](std::uint32_t deny, std::uint32_t all) {
    return (find_prefix_lists(memory_.tables(), address("10.1.2.3"), all) & deny) != 0;
  };
  std::uint32_t deny_before = 0, all_before = 0;
  for (int round = 0; round < 4; ++round) {
    for (const std::string& text : configs) {
      const config::Config config = config_of(text);
      const auto masks = lists_->prepare(config, false);
      ASSERT_TRUE(masks) << masks.error().message;
      std::uint32_t deny = 0, all = 0;
      for (const config::PrefixList& list : config.prefix_lists) {
        all |= masks->at(list.name);
        if (list.action == "deny") deny |= masks->at(list.name);
      }
      EXPECT_TRUE(all_before == 0 || is_denied(deny_before, all_before)) << "prepared: " << text;
      lists_->commit();
      EXPECT_TRUE(all_before == 0 || is_denied(deny_before, all_before)) << "committed: " << text;
      EXPECT_TRUE(is_denied(deny, all)) << "committed: " << text;
      lists_->finish();
      EXPECT_TRUE(is_denied(deny, all)) << "finished: " << text;
      deny_before = deny, all_before = all;
    }
  }
  EXPECT_EQ(lists_->table().size(), 1u);
}

TEST_F(GuardLists, OperatorsOwnKeepsItsRulesWhenItsActionChanges) {
  apply(kBad);
  ASSERT_TRUE(lists_->add("bad", {prefix("203.0.113.0/24")}));
  apply("[[prefix_list]]\nname = \"bad\"\naction = \"allow\"\n");
  EXPECT_EQ(find("203.0.113.1"), (Names{"bad"}));
  EXPECT_EQ(lists_->size_of("bad"), 1u);
  EXPECT_EQ(lists_->table().size(), 1u);
}

TEST_F(GuardLists, AConfigThatIsPreparedAndThenRefusedLeavesNothing) {
  apply(kBad + "prefixes = [\"192.0.2.0/24\"]\n");
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(lists_->prepare(config_of(kBad + "prefixes = [\"10.0.0.0/8\", \"192.0.2.0/24\"]\n" + kGood +
                                          "prefixes = [\"11.0.0.0/8\"]\n"),
                                false));
    EXPECT_EQ(lists_->size_of("bad"), 1u);
  }
  restart();
  apply(kBad + "prefixes = [\"192.0.2.0/24\"]\n", true);
  EXPECT_EQ(lists_->table().size(), 1u);
  EXPECT_EQ(find("10.0.0.1"), Names{});
}

TEST_F(GuardLists, AreListedInPages) {
  apply(kBad);
  std::vector<IpPrefix> prefixes;
  for (int i = 0; i < 500; ++i)
    prefixes.push_back(prefix("10.0." + std::to_string(i % 250) + "." + std::to_string(i / 250)));
  ASSERT_TRUE(lists_->replace("bad", prefixes));
  std::vector<IpPrefix> listed;
  std::size_t place = 0;
  do {
    const auto page = lists_->list("bad", place, 77);
    ASSERT_TRUE(page);
    EXPECT_LE(page->prefixes.size(), 77u);
    listed.insert(listed.end(), page->prefixes.begin(), page->prefixes.end());
    place = page->next;
  } while (place != 0);
  std::sort(listed.begin(), listed.end());
  std::sort(prefixes.begin(), prefixes.end());
  EXPECT_EQ(listed, prefixes);
}

// ---- Policies ----

const std::string kVips =
    "[[vip]]\nname = \"web\"\naddress = \"198.51.100.10\"\n[[vip]]\nname = \"web6\"\naddress = "
    "\"2001:db8::10\"\n"
    "[[vip]]\nname = \"dns\"\naddress = \"198.51.100.10\"\nport = 53\nprotocol = \"udp\"\n";

class GuardPolicies : public GuardLists {
 protected:
  // Writes them as a director does; returns the number of each VIP's policy, -1 for none.
  std::vector<int> publish(const std::string& text) {
    const config::Config config = config_of(kVips + text);
    const auto masks = lists_->prepare(config, false);
    EXPECT_TRUE(masks) << masks.error().message;
    const auto flags = write_policies(plane_.tables(), config, *masks);
    EXPECT_TRUE(flags) << flags.error().message;
    lists_->commit();
    std::vector<VipEntry> entries;
    std::vector<int> numbers;
    for (std::size_t i = 0; i < flags->size(); ++i) {
      entries.push_back({config.vips[i].address, config.vips[i].port, std::uint8_t(6),
                         static_cast<std::uint16_t>(i), 0, (*flags)[i]});
      numbers.push_back((*flags)[i] & GH_VIP_GUARDED ? static_cast<int>(gh_policy_number((*flags)[i])) : -1);
    }
    EXPECT_TRUE(TableWriter(plane_).set_vips(entries));
    lists_->finish();
    return numbers;
  }
  const gh_policy& policy(int number) {
    return plane_.tables().guard.policies[static_cast<std::size_t>(number)];
  }

  MemoryPlane plane_{251, 2};
};

TEST_F(GuardPolicies, VipsWithoutListsAndLimitsHaveNone) {
  EXPECT_EQ(publish(""), (std::vector<int>{-1, -1, -1}));
  EXPECT_EQ(publish(kBad + "vips = [\"web\"]\n"), (std::vector<int>{0, -1, -1}));
  EXPECT_NE(publish("[protection]\ndrop_bogus = true\n"), (std::vector<int>{-1, -1, -1}));
}

TEST_F(GuardPolicies, VipsThatAskForTheSameShareOne) {
  const auto numbers = publish(kBad + kGood + "vips = [\"dns\"]\n");
  EXPECT_EQ(numbers[0], numbers[1]);
  EXPECT_NE(numbers[0], numbers[2]);
  EXPECT_EQ(policy(numbers[0]).allow, 0u);
  EXPECT_NE(policy(numbers[2]).allow, 0u);
  EXPECT_EQ(policy(numbers[0]).deny, policy(numbers[2]).deny);
}

TEST_F(GuardPolicies, OneThatPacketsGoByIsNeverWritten) {
  std::vector<int> before = publish(kBad + "vips = [\"web\"]\n");
  for (int i = 1; i < 600; ++i) {
    const gh_policy live = policy(before[0]);
    const auto after = publish(
        kBad + "vips = [\"web\"]\n[[source_limit]]\nname = \"l\"\npackets_per_second = " + std::to_string(i) +
        "\n");
    EXPECT_NE(after[0], before[0]);
    EXPECT_EQ(std::memcmp(&live, &policy(before[0]), sizeof live), 0);
    before = after;
  }
  EXPECT_EQ(publish(kBad + "vips = [\"web\"]\n[[source_limit]]\nname = \"l\"\npackets_per_second = 599\n"),
            before);
}

TEST_F(GuardPolicies, AVipHasTheLimitThatNamesItOrElseTheOneForTheRest) {
  const auto numbers = publish(
      "[[source_limit]]\nname = \"rest\"\nsyns_per_second = 10\nsyn_burst = 20\n"
      "[[source_limit]]\nname = \"d\"\nvips = [\"dns\"]\npackets_per_second = 100000\nipv4_prefix = "
      "24\nipv6_prefix = 48\n");
  EXPECT_EQ(numbers[0], numbers[1]);
  EXPECT_EQ(policy(numbers[0]).packets.cost, 0u);
  EXPECT_EQ(policy(numbers[0]).syns.burst, 20 * policy(numbers[0]).syns.cost);
  EXPECT_EQ(policy(numbers[0]).v4_shift, 0);
  EXPECT_EQ(policy(numbers[2]).syns.cost, 0u);
  EXPECT_EQ(policy(numbers[2]).v4_shift, 8);
  EXPECT_EQ(policy(numbers[2]).v6_shift, 16);
  // A window of 64 ms or more, of one CPU, and an eighth of the rate.
  EXPECT_GT(policy(numbers[2]).free_packets, 100000u / 16 / 8 / 2);
  EXPECT_LE(policy(numbers[2]).free_packets, 100000u / 8 / 8);
}

// ---- Requests of `gatehouse prefix` ----

TEST_F(GuardPolicies, RequestsOfOperatorsAreAnsweredAndBadOnesChangeNothing) {
  EventLoop loop;
  GuardControl control(loop, plane_);
  auto flags = control.prepare(config_of(kVips + kBad + kGood), false);
  ASSERT_TRUE(flags) << flags.error().message;
  control.commit(*flags);
  control.finish();
  const auto ask = [&control](const char* text) {
    const auto answer = control.request(parse_json(text));
    return answer ? answer->dump() : "error: " + answer.error().message;
  };
  EXPECT_EQ(ask(R"({"action": "add", "list": "bad", "prefixes": ["192.0.2.0/24", "2001:db8::/32"]})"),
            R"({"changed":2,"rules":2})");
  EXPECT_EQ(ask(R"({"action": "add", "list": "good", "prefixes": ["192.0.2.0/25"]})"),
            R"({"changed":1,"rules":1})");
  EXPECT_EQ(ask(R"({"action": "remove", "list": "bad", "prefixes": ["2001:db8::/32", "10.0.0.0/8"]})"),
            R"({"changed":1,"rules":1})");
  EXPECT_EQ(ask(R"({"action": "list", "list": "bad"})"), R"({"next":0,"prefixes":["192.0.2.0/24"]})");
  EXPECT_EQ(ask(R"({"action": "find", "address": "192.0.2.1"})"),
            R"({"rules":[{"list":"good","prefix":"192.0.2.0/25"},{"list":"bad","prefix":"192.0.2.0/24"}]})");
  EXPECT_EQ(ask(R"({"action": "find", "address": "192.0.3.1"})"), R"({"rules":[]})");
  (void)file("203.0.113.0/24\n203.0.113.0/25\n203.0.113.0/24\n");
  EXPECT_EQ(ask((R"({"action": "load", "list": "bad", "file": ")" + folder_ + ".txt\"}").c_str()),
            R"({"rules":2})");
  for (const char* bad :
       {R"({})", R"({"action": 7})", R"({"action": "add"})", R"({"action": "add", "list": "bad"})",
        R"({"action": "add", "list": "bad", "prefixes": []})",
        R"({"action": "add", "list": "bad", "prefixes": [7]})",
        R"({"action": "add", "list": "bad", "prefixes": ["10.0.0.1/8"]})",
        R"({"action": "add", "list": "", "prefixes": ["10.0.0.0/8"]})",
        R"({"action": "add", "list": "bda", "prefixes": ["10.0.0.0/8"]})",
        R"({"action": "load", "list": "bad", "file": "/no/such"})",
        R"({"action": "list", "list": "bad", "place": -1})", R"({"action": "find", "address": "x"})"}) {
    const std::string answer = ask(bad);
    if (std::string_view(bad).find("-1") == std::string_view::npos) {
      EXPECT_TRUE(answer.starts_with("error: ")) << bad << answer;
    }
  }
  EXPECT_EQ(ask(R"({"action": "list", "list": "bad", "place": 99999999})"), R"({"next":0,"prefixes":[]})");
  EXPECT_EQ(ask(R"({"action": "list", "list": "good"})"), R"({"next":0,"prefixes":["192.0.2.0/25"]})");
}

}  // namespace
}  // namespace gatehouse::l4
