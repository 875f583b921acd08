// The log of generations and its file.
#include "l4/membership.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temporary_folder.h"

namespace gatehouse::l4 {
namespace {

const Member kOne{1, 1, MemberState::kActive};
const Member kTwo{2, 10, MemberState::kDraining};
const Member kThree{4095, 0xffffffff, MemberState::kDown};

std::vector<std::uint16_t> epochs_of(const Membership& membership) {
  std::vector<std::uint16_t> epochs;
  for (const Generation& generation : membership.generations()) epochs.push_back(generation.epoch);
  return epochs;
}

// Generation n holds node n alone and came at n * 100 seconds.
Membership with_generations(std::uint16_t count) {
  Membership membership;
  for (std::uint16_t id = 1; id <= count; ++id) membership.append({{id, 1, MemberState::kActive}}, id * 100);
  return membership;
}

TEST(Membership, BeginsEmpty) { EXPECT_TRUE(Membership().generations().empty()); }

TEST(Membership, AppendsWhatIsNewInOrderOfId) {
  Membership membership;
  EXPECT_TRUE(membership.append({kThree, kOne, kTwo}, 1000));
  ASSERT_EQ(membership.generations().size(), 1u);
  EXPECT_EQ(membership.generations()[0], (Generation{1, 1000, {kOne, kTwo, kThree}}));
}

TEST(Membership, DoesNotAppendWhatItHas) {
  Membership membership;
  ASSERT_TRUE(membership.append({kOne, kTwo}, 1000));
  EXPECT_FALSE(membership.append({kOne, kTwo}, 1001));
  EXPECT_FALSE(membership.append({kTwo, kOne}, 1002)) << "only the order differs";
  EXPECT_EQ(membership.generations()[0].time, 1000);
}

TEST(Membership, AnyChangeOfAMemberIsAGeneration) {
  Membership membership;
  ASSERT_TRUE(membership.append({kOne, kTwo}, 1));
  EXPECT_TRUE(membership.append({{1, 1, MemberState::kDraining}, kTwo}, 2)) << "state";
  EXPECT_TRUE(membership.append({{1, 2, MemberState::kDraining}, kTwo}, 3)) << "weight";
  EXPECT_TRUE(membership.append({kTwo}, 4)) << "gone";
  EXPECT_TRUE(membership.append({}, 5)) << "all gone";
  EXPECT_TRUE(membership.append({kTwo}, 6)) << "equal to an older one only";
  EXPECT_EQ(membership.generations().back().epoch, 6);
}

// A hop list names a node once: of generations with the same owners only the newest says anything.
TEST(Membership, ComingAndGoingDoesNotPushOlderOwnersOut) {
  const Member two{2, 1, MemberState::kActive}, three{3, 1, MemberState::kActive};
  Membership membership;
  membership.append({kOne, two, three}, 1);
  membership.append({{1, 1, MemberState::kDraining}, two, three}, 2);
  for (int i = 0; i < 20; ++i) {
    membership.append({{1, 1, MemberState::kDraining}, {2, 1, MemberState::kDraining}, three}, 10 + 2 * i);
    membership.append({{1, 1, MemberState::kDraining}, two, three}, 11 + 2 * i);
  }
  ASSERT_EQ(membership.generations().size(), 3u);
  EXPECT_EQ(membership.generations().front().members.front(), kOne) << "the owners before the drain are still known";
}

TEST(Membership, AGenerationWithOtherRingsIsNotForgotten) {
  Membership membership;
  const Member two{2, 1, MemberState::kActive};
  Member slow = two;
  slow.factor = 900;
  membership.append({kOne, two}, 1);
  membership.append({kOne, slow}, 2);
  membership.append({kOne}, 3);
  EXPECT_EQ(membership.generations().size(), 3u);
  membership.append({kOne, two, {3, 1, MemberState::kDown}}, 4);
  EXPECT_EQ(membership.generations().size(), 4u) << "a new member changes the base, also when it owns nothing yet";
  membership.append({kOne, two}, 5);
  EXPECT_EQ(epochs_of(membership), (std::vector<std::uint16_t>{2, 3, 4, 5})) << "what the first one said";
}

TEST(Membership, KeepsTheNewestGenerations) {
  const Membership membership = with_generations(Membership::kMost + 3);
  EXPECT_EQ(membership.generations().size(), Membership::kMost);
  EXPECT_EQ(membership.generations().front().epoch, 4);
  EXPECT_EQ(membership.generations().back().epoch, Membership::kMost + 3);
}

TEST(Membership, EpochsGoRoundAfterTheLast) {
  Membership membership;
  for (std::uint32_t i = 0; i < 65538; ++i) {
    membership.append({{static_cast<std::uint16_t>(1 + i % 2), 1, MemberState::kActive}}, i);
  }
  EXPECT_EQ(epochs_of(membership), (std::vector<std::uint16_t>{1, 2}));
}

TEST(Membership, ForgetsWhatWasReplacedLongAgo) {
  const struct {
    std::int64_t seconds, now;
    std::vector<std::uint16_t> left;
  } rows[] = {
      {100, 300, {1, 2, 3}},  // generation 1 was replaced at 200: exactly 100 seconds ago
      {100, 301, {2, 3}},          {100, 400, {2, 3}},  {100, 401, {3}}, {0, 250, {2, 3}},
      {1'000'000, 401, {1, 2, 3}}, {0, 1'000'000, {3}},  // the newest was replaced by nobody
  };
  for (const auto& row : rows) {
    Membership membership = with_generations(3);
    const bool is_changed = membership.forget_older_than(row.seconds, row.now);
    EXPECT_EQ(epochs_of(membership), row.left) << row.seconds << " seconds at " << row.now;
    EXPECT_EQ(is_changed, row.left.size() != 3) << row.seconds << " seconds at " << row.now;
    EXPECT_FALSE(membership.forget_older_than(row.seconds, row.now));
  }
  EXPECT_FALSE(Membership().forget_older_than(0, 1000));
}

TEST(Membership, EpochsGoOnAfterForgetting) {
  Membership membership = with_generations(3);
  membership.forget_older_than(0, 1'000'000);
  membership.append({kTwo}, 1'000'001);
  EXPECT_EQ(epochs_of(membership), (std::vector<std::uint16_t>{3, 4}));
}

class MembershipFile : public testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(file_, std::ios::trunc) << text; }
  std::string read() const {
    std::ostringstream text;
    text << std::ifstream(file_).rdbuf();
    return text.str();
  }

  const test::TemporaryFolder temporary_;
  const std::string folder_ = temporary_.path();
  const std::string file_ = folder_ + "/membership.json";
};

TEST_F(MembershipFile, KeepsEverything) {
  Membership saved;
  saved.append({kOne, kTwo, kThree}, 1'700'000'000);
  saved.append({kOne}, 1'700'000'060);
  saved.append({}, 1'700'000'120);
  ASSERT_TRUE(saved.save(file_));
  const auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->generations(), saved.generations());
}

TEST_F(MembershipFile, IsReplacedWholeAndLeavesNothingBeside) {
  ASSERT_TRUE(with_generations(8).save(file_));
  ASSERT_TRUE(with_generations(1).save(file_));
  const auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->generations(), with_generations(1).generations());
  const std::filesystem::directory_iterator entries(folder_);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST_F(MembershipFile, GoesOnCountingWhereItStopped) {
  ASSERT_TRUE(with_generations(5).save(file_));
  auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->append({{5, 1, MemberState::kActive}}, 600)) << "the newest generation is known";
  EXPECT_TRUE(loaded->append({kTwo}, 601));
  EXPECT_EQ(loaded->generations().back().epoch, 6);
}

TEST_F(MembershipFile, MayBeMissing) {
  const auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_TRUE(loaded->generations().empty());
}

TEST_F(MembershipFile, CannotBeWrittenToAFolderThatIsNotThere) {
  const Status saved = with_generations(1).save(folder_ + "/missing/membership.json");
  ASSERT_FALSE(saved);
  EXPECT_NE(saved.error().message.find("/missing/"), std::string::npos) << saved.error().message;
}

// A file of one generation with `member`.
std::string file_with(const std::string& member) {
  return R"({"generations": [{"epoch": 1, "time": 5, "members": [)" + member + "]}]}";
}

// And a second generation with `fields`.
std::string file_then(const std::string& fields) {
  const std::string first = file_with(R"({"id": 1, "weight": 1, "state": "active"})");
  return first.substr(0, first.size() - 2) + R"(, {"epoch": 2, "time": 6, )" + fields + "}]}";
}

const std::string kBroken[] = {
    "",
    "\n",
    "[]",
    "{}",
    "null",
    "7",
    "generations",
    R"({"generations": {}})",
    R"({"generations": [7]})",
    R"({"generations": [{}]})",
    R"({"generations": [{"epoch": 1, "time": 5}]})",
    R"({"generations": [{"epoch": 1, "time": 5, "members": {}}]})",
    R"({"generations": [{"epoch": 1, "members": []}]})",
    R"({"generations": [{"time": 5, "members": []}]})",
    R"({"generations": [{"epoch": 65536, "time": 5, "members": []}]})",
    R"({"generations": [{"epoch": -1, "time": 5, "members": []}]})",
    R"({"generations": [{"epoch": 1.5, "time": 5, "members": []}]})",
    R"({"generations": [{"epoch": "1", "time": 5, "members": []}]})",
    R"({"generations": [{"epoch": 1, "time": -5, "members": []}]})",
    R"({"generations": []} trailing)",
    file_with("7"),
    file_with("{}"),
    file_with(R"({"id": 1, "weight": 1})"),
    file_with(R"({"id": 1, "state": "active"})"),
    file_with(R"({"weight": 1, "state": "active"})"),
    file_with(R"({"id": 0, "weight": 1, "state": "active"})"),
    file_with(R"({"id": 4096, "weight": 1, "state": "active"})"),
    file_with(R"({"id": 1, "weight": -1, "state": "active"})"),
    file_with(R"({"id": 1, "weight": 4294967296, "state": "active"})"),
    file_with(R"({"id": 1, "weight": 1, "state": "up"})"),
    file_with(R"({"id": 1, "weight": 1, "state": 0})"),
    file_with(R"({"id": "1", "weight": 1, "state": "active"})"),
    file_with(R"({"id": 1, "weight": 1, "state": "active"}, {"id": 1, "weight": 1, "state": "active"})"),
    file_with(R"({"id": 2, "weight": 1, "state": "active"}, {"id": 1, "weight": 1, "state": "active"})"),
    file_with(R"({"id": 1, "weight": 1, "state": "active", "factor": -1})"),
    file_with(R"({"id": 1, "weight": 1, "state": "active", "factor": 1000001})"),
    file_with(R"({"id": 1, "weight": 1, "state": "active", "address": "192.0.2"})"),
    file_with(R"({"id": 1, "weight": 1, "state": "active", "address": 7})"),
    file_then(R"("changed": [])"),
    file_then(R"("changed": [], "gone": [2])"),
    file_then(R"("changed": [], "gone": [-1])"),
    file_then(R"("changed": {}, "gone": [])"),
    file_then(R"("changed": [{"id": 1}], "gone": [])"),
    file_then(R"("changed": [], "gone": [], "rosters": 7)"),
    file_then(R"("changed": [], "gone": [], "rosters": [{"members": "x", "vips": []}])"),
    file_then(R"("changed": [], "gone": [], "rosters": [{"members": "1", "vips": [7]}])"),
    file_then(R"("changed": [], "gone": [], "rosters": [{"members": "1", "vips": ["a", "a"]}])"),
    file_then(R"("changed": [], "gone": [], "rosters": [{"members": "1", "vips": [], "name": 7}])"),
};

TEST_F(MembershipFile, OfEveryOtherFormIsRefused) {
  write(file_with(R"({"id": 1, "weight": 1, "state": "active"})"));
  ASSERT_TRUE(Membership::load(file_)) << "the form from which the others differ";
  write(file_then(R"("changed": [], "gone": [1])"));
  ASSERT_TRUE(Membership::load(file_));
  for (const std::string& text : kBroken) {
    write(text);
    const auto loaded = Membership::load(file_);
    ASSERT_FALSE(loaded) << text;
    EXPECT_NE(loaded.error().message.find(file_), std::string::npos) << loaded.error().message;
  }
}

TEST_F(MembershipFile, CutShortIsRefused) {
  ASSERT_TRUE(with_generations(2).save(file_));
  std::string whole = read();
  while (!whole.empty() && whole.back() == '\n') whole.pop_back();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    ASSERT_FALSE(Membership::load(file_)) << length << " bytes of " << whole.size();
  }
}

TEST_F(MembershipFile, WithTooManyGenerationsGivesTheNewest) {
  std::string text = R"({"generations": [)";
  for (std::size_t epoch = 1; epoch <= Membership::kMost + 12; ++epoch) {
    text += R"({"epoch": )" + std::to_string(epoch) + R"(, "time": 5, "members": []})" +
            (epoch < Membership::kMost + 12 ? "," : "]}");
  }
  write(text);
  const auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->generations().size(), Membership::kMost);
  EXPECT_EQ(loaded->generations().front().epoch, 13);
}

Rosters rosters_with(const std::string& vip, std::vector<Roster::Entry> entries) {
  return {{"198.51.100.10:443/tcp", std::make_shared<const Roster>(Roster{"", {{1}, {2}, {3, 50}}})},
          {vip, std::make_shared<const Roster>(Roster{"mail", std::move(entries)})}};
}

TEST_F(MembershipFile, KeepsAddressesFactorsAndRosters) {
  Membership saved;
  Member one = kOne, other = kThree;
  one.address = *IpAddress::parse("192.0.2.21");
  other.address = *IpAddress::parse("2001:db8::21");
  const auto first = std::make_shared<const Rosters>(rosters_with("[2001:db8::10]:25/tcp", {{4095}}));
  saved.append({one, kTwo}, 1, first);
  one.factor = 1250;
  saved.append({one, kTwo, other}, 2, std::make_shared<const Rosters>(rosters_with("[2001:db8::10]:25/tcp", {{4095}})));
  saved.append({one, other}, 3, std::make_shared<const Rosters>(rosters_with("[2001:db8::11]:25/tcp", {{4, 0}, {7}})));
  saved.append({one}, 4);
  ASSERT_TRUE(saved.save(file_));
  const auto loaded = Membership::load(file_);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->generations(), saved.generations());
  const auto& generations = loaded->generations();
  EXPECT_EQ(generations[0].rosters, generations[1].rosters) << "what says the same is the same object";
  EXPECT_NE(generations[1].rosters, generations[2].rosters);
  EXPECT_EQ(generations[3].rosters, nullptr);
}

TEST_F(MembershipFile, SaysOfLaterGenerationsWhatChanged) {
  Membership saved;
  std::vector<Member> members;
  for (std::uint16_t id = 1; id <= 1000; ++id) members.push_back({id, 100, MemberState::kActive});
  saved.append(members, 1);
  ASSERT_TRUE(saved.save(file_));
  const std::size_t of_one = read().size();
  for (int i = 0; i < 20; ++i) {
    members[static_cast<std::size_t>(i)].state = MemberState::kDown;
    saved.append(members, 2 + i);
  }
  ASSERT_TRUE(saved.save(file_));
  EXPECT_LT(read().size(), of_one + of_one / 10);
  EXPECT_EQ(Membership::load(file_)->generations(), saved.generations());
}

TEST(RosterText, IsIdsAndWeightsThatAreNotTheMembers) {
  const struct {
    std::vector<Roster::Entry> entries;
    const char* text;
  } rows[] = {{{}, ""},
              {{{1}}, "1"},
              {{{1}, {2}, {3}}, "1-3"},
              {{{1}, {3}, {4}, {4095}}, "1,3-4,4095"},
              {{{1, 50}, {2, 50}, {3}, {4, 0}}, "1-2=50,3,4=0"}};
  for (const auto& row : rows) {
    EXPECT_EQ(to_string(row.entries), row.text);
    const auto parsed = parse_entries(row.text);
    ASSERT_TRUE(parsed) << row.text;
    EXPECT_EQ(*parsed, row.entries) << row.text;
  }
}

TEST(RosterText, OfAnyOtherFormIsRefused) {
  for (const char* text : {"x", "0", "4096", "2,1", "1,1", "3-2", "1-", "-1", "1-2-3", "1=", "1==5", "1=-5", "1,", ",1", " 1", "1 ",
                           "1-4096", "99999999999", "1=99999999999", "1-3,3"}) {
    EXPECT_FALSE(parse_entries(text)) << text;
  }
}

TEST_F(MembershipFile, ThatIsNoFileIsRefused) {
  const std::string pipe = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  write("{}");
  for (const std::string& path : {folder_, pipe, file_ + "/below", std::string("/dev/zero")}) {
    const auto loaded = Membership::load(path);
    ASSERT_FALSE(loaded) << path;
    EXPECT_NE(loaded.error().message.find(path), std::string::npos) << loaded.error().message;
  }
}

}  // namespace
}  // namespace gatehouse::l4
