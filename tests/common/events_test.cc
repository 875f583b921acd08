// What changed is remembered: over restarts, within bounds, whatever became of the file.
#include "common/events.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "common/files.h"
#include "common/json_fields.h"

namespace gatehouse {
namespace {

class Events : public testing::Test {
 protected:
  ~Events() override { std::filesystem::remove(file); }
  std::unique_ptr<EventLog> open() {
    return EventLog::open(file, [this] { return now; });
  }
  static std::vector<std::string> told(const EventLog& log, const Json& params = Json::object()) {
    std::vector<std::string> told;
    const auto answer = log.answer(params);
    for (const Json& event : list_member(*answer, "events"))
      told.push_back(text_of(member(event, "subject")));
    return told;
  }
  using Told = std::vector<std::string>;

  std::string file = testing::TempDir() + "events-" + std::to_string(getpid());
  std::int64_t now = 1'790'000'000'000;
};

TEST_F(Events, AreToldInTheirOrderWithWhenAndWhy) {
  const auto log = open();
  log->add("worker", "worker 1", "ended", "SIGKILL");
  now += 5;
  log->add("drain", "n1", "begins");
  EXPECT_EQ(
      log->answer(Json::object())->dump(),
      R"({"events":[{"kind":"worker","number":1,"subject":"worker 1","time_ms":1790000000000,"what":"ended","why":"SIGKILL"},)"
      R"({"kind":"drain","number":2,"subject":"n1","time_ms":1790000000005,"what":"begins"}],"last":2,"left_out":{}})");
}

TEST_F(Events, AreToldByKindSinceAndAfter) {
  const auto log = open();
  log->add("worker", "w", "ended");
  now += 1'000;
  log->add("drain", "d", "begins");
  log->add("worker", "v", "is here");
  EXPECT_EQ(told(*log, {{"kinds", {"worker"}}}), (Told{"w", "v"}));
  EXPECT_EQ(told(*log, {{"kinds", {"worker", "drain"}}}), (Told{"w", "d", "v"}));
  EXPECT_EQ(told(*log, {{"since_ms", now}}), (Told{"d", "v"}));
  EXPECT_EQ(told(*log, {{"after", 2}}), (Told{"v"}));
  EXPECT_EQ(told(*log, {{"limit", 1}}), (Told{"v"}));
  EXPECT_EQ(told(*log, {{"limit", -1}, {"after", "x"}, {"kinds", 7}}), Told{});
  EXPECT_EQ(told(*log, Json()), (Told{"w", "d", "v"}));
  EXPECT_EQ(log->answer({{"kinds", {"wroker"}}}).error().message,
            "there is no kind of events \"wroker\"; did you mean \"worker\"?");
}

TEST_F(Events, OutliveTheirDaemonAndGoOnCounting) {
  open()->add("worker", "w", "ended", "why \"it\" did\n");
  const auto log = open();
  log->add("drain", "d", "begins");
  EXPECT_EQ(told(*log), (Told{"w", "d"}));
  EXPECT_EQ(log->answer(Json::object())->at("last"), 2);
}

TEST_F(Events, OfADamagedFileLoseNoMoreThanWhatIsDamaged) {
  open()->add("worker", "w", "ended");
  const std::string good = *read_file(file);
  std::ofstream(file) << good << "{\"number\":\n"
                      << "\xff\x00[1]\n"
                      << "7\n"
                      << good.substr(0, good.size() / 2);
  const auto log = open();
  EXPECT_EQ(told(*log), (Told{"w"}));
  EXPECT_EQ(*read_file(file), good) << "what is added now stands on a line of its own";
  log->add("worker", "v", "is here");
  EXPECT_EQ(told(*open()), (Told{"w", "v"}));
}

TEST_F(Events, OfAnyFileCostNothingButThemselves) {
  std::mt19937 random(3);
  const std::string good =
      "{\"number\":1,\"time_ms\":2,\"kind\":\"worker\",\"subject\":\"w\",\"what\":\"x\"}\n";
  for (int i = 0; i < 500; ++i) {
    std::string text = good + good;
    for (int change = 0; change < 4; ++change) text[random() % text.size()] = static_cast<char>(random());
    std::ofstream(file, std::ios::binary) << text;
    const auto log = open();
    log->add("drain", "d", "begins");
    EXPECT_FALSE(told(*log).empty());
    EXPECT_EQ(told(*log).back(), "d");
  }
}

TEST_F(Events, WithoutAFileAreKeptInMemory) {
  const auto log = EventLog::open("/nowhere/at/all", [this] { return now; });
  log->add("worker", "w", "ended");
  EXPECT_EQ(told(*log), (Told{"w"}));
}

TEST_F(Events, ThatComeTooFastAreCountedWhereTheyWouldHaveBeen) {
  const auto log = open();
  for (int i = 0; i < 1'000; ++i) log->add("backend", "b", i % 2 ? "is healthy" : "is unhealthy");
  log->add("drain", "n1", "begins");  // other kinds are not concerned
  EXPECT_EQ(told(*log).size(), static_cast<std::size_t>(EventLog::kBurst) + 1);
  EXPECT_EQ(log->answer(Json::object())->at("left_out").dump(), R"({"backend":970})");
  now += 10'000;
  log->add("backend", "b", "is healthy");
  const auto answer = log->answer({{"kinds", {"backend"}}, {"limit", 1}});
  EXPECT_EQ(answer->at("events")[0].at("left_out"), 970);
  EXPECT_EQ(answer->at("left_out").dump(), "{}");
}

// Nor do they push others out.
TEST_F(Events, ThatFlapForDaysStayWithinBounds) {
  const auto log = open();
  log->add("config", "c", "is in use");
  for (int i = 0; i < 20'000; ++i) {
    now += 11'000;
    log->add("backend", "192.0.2.1:80 of pool api", "is unhealthy", std::string(10'000, 'x'));
  }
  const auto all = told(*log);
  EXPECT_EQ(all.front(), "c");
  EXPECT_EQ(all.size(), EventLog::kMostOfKind + 1);
  EXPECT_LT(std::filesystem::file_size(file), 1u << 20);
  EXPECT_EQ(told(*open()), all);
}

TEST_F(Events, OfThisProcessAreThoseThatAreReported) {
  const auto log = open();
  report_event("drain", "n1", "begins");
  EXPECT_EQ(answer_events(Json::object()).error().message, "this daemon keeps no events");
  use_event_log(log.get());
  report_event("drain", "n2", "begins");
  EXPECT_EQ(answer_events(Json::object())->at("events").size(), 1u);
  use_event_log(nullptr);
}

}  // namespace
}  // namespace gatehouse
