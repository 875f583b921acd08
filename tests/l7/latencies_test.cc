// How long exchanges take, from the board to the report.
#include "l7/supervisor/latencies.h"

#include <gtest/gtest.h>

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

config::Config config_of(std::initializer_list<const char*> names) {
  config::Config config;
  for (const char* name : names) {
    config.routes.emplace_back().name = name;
    config.pools.emplace_back().name = name;
  }
  return config;
}

Json row_of(const Json& report, const std::string& kind, const std::string& name) {
  for (const Json& row : report) {
    if (row["kind"] == kind && row["name"] == name) return row;
  }
  return {};
}

TEST(Latencies, AreSumsForEverAndQuantilesOfLately) {
  const auto board = Board::anonymous();
  const config::Config config = config_of({"a", "b"});
  Latencies latencies(*board);
  latencies.set_config(config);
  EventLoop::Clock::time_point now{std::chrono::hours(1)};
  LatencyCell& cell = *board->latency(LatencyKind::kRoute, "a");
  for (int i = 0; i < 100; ++i) cell.add(1'000'000, i < 10 ? 404 : 200);
  for (int span = 0; span < 3; ++span) {
    latencies.remember(now);
    now += std::chrono::seconds(31);
  }
  for (int i = 0; i < 100; ++i) cell.add(i < 96 ? 1'000 : 100'000, i < 4 ? 503 : 200);
  const Json report = latencies.report();
  EXPECT_EQ(report.size(), 1u) << "what had no request is not there: " << report.dump();
  const Json row = row_of(report, "route", "a");
  EXPECT_EQ(row.value("requests", 0), 200);
  EXPECT_EQ(row.value("responses_4xx", 0), 10);
  EXPECT_EQ(row.value("responses_5xx", 0), 4);
  EXPECT_EQ(row.value("sum_us", 0), 100 * 1'000'000 + 96 * 1'000 + 4 * 100'000);
  EXPECT_NEAR(row.value("p50_ms", 0.0), 1, 0.125);
  EXPECT_NEAR(row.value("p99_ms", 0.0), 100, 12.5) << "what took a second was longer ago";
  EXPECT_EQ(row["buckets"].back()[1], 200);
  EXPECT_EQ(latencies.counts(), Json::array({{{"kind", "route"}, {"name", "a"}, {"requests", 200}}}));
}

TEST(Latencies, OfWhatStaysInTheConfigGoOn) {
  const auto board = Board::anonymous();
  Latencies latencies(*board);
  latencies.set_config(config_of({"a", "b"}));
  LatencyCell& cell = *board->latency(LatencyKind::kPool, "b");
  cell.add(1'000'000, 200);
  latencies.remember(EventLoop::Clock::time_point{std::chrono::hours(1)});
  cell.add(1'000, 200);
  latencies.set_config(config_of({"b", "c"}));
  const Json row = row_of(latencies.report(), "pool", "b");
  EXPECT_EQ(row.value("requests", 0), 2);
  EXPECT_NEAR(row.value("p99_ms", 0.0), 1, 0.125) << "what took a second was before";
}

TEST(Latencies, OfNamesThatAreGoneMakeRoomWhenItIsNeeded) {
  const auto board = Board::anonymous();
  Latencies latencies(*board);
  board->latency(LatencyKind::kRoute, "old")->add(5, 200);
  config::Config config;
  for (std::uint32_t i = 0; i < kMaxLatencies; ++i)
    config.routes.emplace_back().name = "r" + std::to_string(i);
  latencies.set_config(config);
  for (const config::Route& route : config.routes)
    ASSERT_TRUE(board->latency(LatencyKind::kRoute, route.name)) << route.name;
  EXPECT_FALSE(board->latency(LatencyKind::kRoute, "one more"));
  EXPECT_EQ(latencies.report().size(), 0u) << "a cell begins anew";
}

}  // namespace
}  // namespace gatehouse::l7
