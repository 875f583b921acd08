// Prefix rules in the tables: what a packet's lookup says is what a plain search over all rules says,
// whatever was added and removed before, and while it is.
#include "l4/guard_prefixes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

using Rules = std::map<IpPrefix, std::uint32_t>;

IpPrefix prefix(std::string_view text) { return IpPrefix::parse(text).value(); }
IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

IpPrefix cut(const IpAddress& address, unsigned length) {
  IpPrefix result{address, static_cast<std::uint8_t>(length)};
  for (unsigned bit = length; bit < 128; ++bit)
    result.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> bit % 8));
  return result;
}

// By trying every length, the longest first.
std::uint32_t longest(const Rules& rules, const IpAddress& address, std::uint32_t wanted) {
  const int shortest = address.is_v4() ? 96 : 0;
  for (int length = 128; length >= shortest; --length) {
    const auto rule = rules.find(cut(address, static_cast<unsigned>(length)));
    if (rule != rules.end() && (rule->second & wanted)) return rule->second & wanted;
  }
  return 0;
}

class GuardPrefixes : public testing::Test {
 protected:
  void open(std::uint32_t prefixes) {
    guard_ = std::make_unique<gh_guard>();
    memory_ = std::make_unique<GuardMemory>(*guard_, GuardSizes{.prefixes = prefixes}, 1u << 22);
    table_ = std::make_unique<PrefixTable>(memory_->tables(), [this] { ++grace_periods_; });
  }
  bool add(const IpPrefix& prefix, std::uint32_t lists) {
    return table_->add(prefix, lists) != PrefixTable::kNowhere;
  }
  std::uint32_t find(const IpAddress& address, std::uint32_t wanted = ~0u) const {
    return find_prefix_lists(memory_->tables(), address, wanted);
  }

  std::unique_ptr<gh_guard> guard_;
  std::unique_ptr<GuardMemory> memory_;
  std::unique_ptr<PrefixTable> table_;
  int grace_periods_ = 0;
};

// Few addresses and many lengths: prefixes of one another.
IpAddress draw_address(std::mt19937_64& random, bool is_v4) {
  IpAddress address = *IpAddress::parse(is_v4 ? "10.0.0.0" : "2001:db8::");
  for (std::size_t byte = is_v4 ? 13 : 4; byte < 16; ++byte)
    address.bytes[byte] = static_cast<std::uint8_t>(random() % 4);
  return address;
}

TEST_F(GuardPrefixes, FindsTheLongestThatAListInQuestionHas) {
  open(1024);
  for (const char* text :
       {"10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "10.1.1.1", "0.0.0.0/0", "2001:db8::/32",
        "2001:db8:1::/48", "2001:db8:1:1::/64", "2001:db8:1:1::1", "2001:db8:0:0:8000::/65", "::/0"}) {
    ASSERT_TRUE(add(prefix(text), 1));
  }
  ASSERT_TRUE(add(prefix("10.1.0.0/16"), 4));
  ASSERT_TRUE(add(prefix("10.1.1.0/24"), 8));
  const struct {
    const char* source;
    std::uint32_t wanted, lists;
  } kRows[] = {{"10.1.1.1", ~0u, 1},      {"10.1.1.2", ~0u, 9},
               {"10.1.2.1", ~0u, 5},      {"10.2.1.1", ~0u, 1},
               {"11.0.0.1", ~0u, 1},      {"10.1.1.1", 4, 4},
               {"10.1.1.1", 8, 8},        {"10.1.1.1", 12, 8},
               {"10.1.2.1", 8, 0},        {"10.1.1.1", 2, 0},
               {"2001:db8:1:1::1", 1, 1}, {"2001:db8:1:1::2", 1, 1},
               {"2001:db8:1:2::", 1, 1},  {"2001:db8:2::", 1, 1},
               {"2002::", 1, 1},          {"2001:db8::8000:0:0:1", 1, 1}};
  for (const auto& row : kRows)
    EXPECT_EQ(find(address(row.source), row.wanted), row.lists) << row.source << " " << row.wanted;
}

TEST_F(GuardPrefixes, AreWhatAPlainSearchSaysAfterAnyAdditionsAndRemovals) {
  open(4096);
  Rules rules;
  std::mt19937_64 random(1);
  for (int step = 0; step < 60'000; ++step) {
    const bool is_v4 = random() % 2;
    const IpAddress drawn = draw_address(random, is_v4);
    const IpPrefix rule = cut(drawn, is_v4 ? 96 + random() % 33 : random() % 129);
    const std::uint32_t lists = 1u << random() % 4;
    if (rules.size() < 3000 && random() % 8 < 5) {
      ASSERT_TRUE(add(rule, lists));
      rules[rule] |= lists;
    } else {
      const auto known = rules.find(rule);
      EXPECT_EQ(table_->remove(rule, lists), known != rules.end() && (known->second & lists));
      if (known != rules.end() && (known->second &= ~lists) == 0) rules.erase(known);
    }
    if (step % 10'000 == 9'999) {
      EXPECT_TRUE(table_->tighten());
    }
    const std::uint32_t wanted = 1 + random() % 15;
    ASSERT_EQ(find(drawn, wanted), longest(rules, drawn, wanted)) << to_string(drawn);
  }
  EXPECT_EQ(table_->size(), rules.size());
  Rules listed;
  table_->for_each(
      [&](const IpPrefix& each, std::uint32_t lists) { return listed.emplace(each, lists).second; });
  EXPECT_EQ(listed, rules);
}

TEST_F(GuardPrefixes, AMillionOfThemAreAddedFoundAndRemoved) {
  open(1'000'000);
  const auto rule_of = [](std::uint32_t i) {
    IpAddress address = *IpAddress::parse(i % 2 ? "2001:db8::" : "0.0.0.0");
    const std::uint32_t scattered = i * 2654435761u;
    for (int byte = 0; byte < 4; ++byte)
      address.bytes[(i % 2 ? 4 : 12) + byte] = static_cast<std::uint8_t>(scattered >> (24 - 8 * byte));
    return i % 2 ? IpPrefix{address, 64} : IpPrefix{address, 128};
  };
  const auto started = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < 1'000'000; ++i) ASSERT_TRUE(add(rule_of(i), 1u << i % 32)) << i;
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - started;
  std::printf("1,000,000 rules in %.0f ms\n", taken.count());
  EXPECT_EQ(table_->size(), 1'000'000u);
  for (std::uint32_t i = 0; i < 1'000'000; ++i) ASSERT_EQ(find(rule_of(i).address), 1u << i % 32) << i;
  for (std::uint32_t i = 0; i < 1'000'000; i += 2) ASSERT_TRUE(table_->remove(rule_of(i), 1u << i % 32)) << i;
  const auto sweep = std::chrono::steady_clock::now();
  EXPECT_TRUE(table_->tighten());
  const std::chrono::duration<double, std::milli> swept = std::chrono::steady_clock::now() - sweep;
  std::printf("filters built anew in %.0f ms\n", swept.count());
  for (std::uint32_t i = 0; i < 1'000'000; ++i)
    ASSERT_EQ(find(rule_of(i).address), i % 2 ? 1u << i % 32 : 0) << i;
  // What was freed may be used again after one grace period, not one for each place.
  for (std::uint32_t i = 0; i < 1'000'000; i += 2) ASSERT_TRUE(add(rule_of(i), 1)) << i;
  EXPECT_LE(grace_periods_, 1);
}

TEST_F(GuardPrefixes, WhatFindsNoPlaceChangesNothing) {
  open(1024);
  std::size_t added = 0;
  std::mt19937_64 random(2);
  Rules rules;
  for (; added < 2 * table_->capacity(); ++added) {
    IpAddress drawn{};
    for (std::uint8_t& byte : drawn.bytes) byte = static_cast<std::uint8_t>(random());
    if (!add({drawn, 128}, 1)) break;
    rules[{drawn, 128}] = 1;
  }
  EXPECT_GE(added, table_->capacity());
  EXPECT_EQ(table_->size(), rules.size());
  for (const auto& [rule, lists] : rules) EXPECT_EQ(find(rule.address), lists);
}

// What was on its way when a rule came may be past the rule's place: until it is through, nothing may go.
TEST_F(GuardPrefixes, ARuleGoesOnlyWhenEveryPacketCanSeeThoseThatCameBefore) {
  open(1024);
  ASSERT_TRUE(add(prefix("192.0.2.0/24"), 1));
  ASSERT_TRUE(add(prefix("198.51.100.0/24"), 1));
  EXPECT_EQ(grace_periods_, 0);
  EXPECT_TRUE(table_->remove(prefix("192.0.2.0/24"), 1));
  EXPECT_EQ(grace_periods_, 1);
  EXPECT_TRUE(table_->remove(prefix("198.51.100.0/24"), 1));
  EXPECT_EQ(grace_periods_, 1) << "nothing came in between";

  ASSERT_TRUE(add(prefix("203.0.113.0/24"), 1));
  ASSERT_TRUE(add(prefix("203.0.113.0/24"), 2));  // on another list too
  EXPECT_TRUE(table_->remove(prefix("203.0.113.0/24"), 1));
  EXPECT_EQ(grace_periods_, 2);
  ASSERT_TRUE(add(prefix("203.0.113.0/24"), 2));  // it is there: nobody can have missed it
  EXPECT_TRUE(table_->remove(prefix("203.0.113.0/24"), 2));
  EXPECT_EQ(grace_periods_, 2);
}

// A rule that stays must be seen by every packet, whatever is added and removed around it; one that is gone,
// by none.
TEST_F(GuardPrefixes, AReaderNeverSeesHalfOfAChange) {
  open(1024);
  const IpAddress stays = address("192.0.2.1"), never = address("203.0.113.1");
  ASSERT_TRUE(add(prefix("192.0.2.0/24"), 1));
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> lookups = 0, wrong = 0;
  std::atomic<std::uint64_t> turn = 0;  // of the reader: a grace period is two more
  PrefixTable table(memory_->tables(), [&] {
    for (const std::uint64_t now = turn; turn < now + 2 && !is_over;) std::this_thread::yield();
  });
  std::thread reader([&] {
    for (; !is_over; ++turn, lookups += 2) {
      wrong += find(stays, 1) != 1;
      wrong += find(never, 1) != 0;
    }
  });
  std::mt19937_64 random(3);
  std::vector<IpPrefix> added;
  while (lookups < 1'000'000) {
    IpAddress drawn = address(random() % 2 ? "192.0.0.0" : "203.0.0.0");
    drawn.bytes[14] = static_cast<std::uint8_t>(random());
    drawn.bytes[15] = static_cast<std::uint8_t>(random());
    added.push_back({drawn, 128});
    EXPECT_NE(table.add(added.back(), 2), PrefixTable::kNowhere);
    if (added.size() < 400) continue;
    for (const IpPrefix& rule : added) table.remove(rule, 2);
    added.clear();
    table.tighten();
  }
  is_over = true;
  reader.join();
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace gatehouse::l4
