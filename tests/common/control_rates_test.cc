// Rates beside counters: of rows that were there before, and of no others.
#include "common/control/rates.h"

#include <gtest/gtest.h>

namespace gatehouse::control {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

json site(std::uint64_t packets, std::uint64_t requests, int pid) {
  return {{"vips", {{{"name", "web"}, {"packets", packets}, {"bytes", 100 * packets}}}},
          {"nodes", {{{"name", "n1"}, {"workers", {{{"index", 0}, {"pid", pid}, {"requests", requests}}}}}}}};
}

TEST(StatusRates, AreTakenOverTheTimeBetweenTwoMoments) {
  const EventLoop::Clock::time_point start{};
  StatusRates rates;
  rates.remember(site(100, 10, 7), start);
  json now = site(350, 20, 7);
  rates.add_to(now, start + milliseconds(500));
  EXPECT_DOUBLE_EQ(now["vips"][0]["packets_per_second"].get<double>(), 500);
  EXPECT_DOUBLE_EQ(now["vips"][0]["bytes_per_second"].get<double>(), 50'000);
  EXPECT_DOUBLE_EQ(now["nodes"][0]["workers"][0]["requests_per_second"].get<double>(), 20);
}

TEST(StatusRates, ReachBackToTheMomentBeforeTheLast) {
  const EventLoop::Clock::time_point start{};
  StatusRates rates;
  rates.remember(site(0, 0, 7), start);
  rates.remember(site(1'000, 0, 7), start + milliseconds(1'000));
  json now = site(1'000, 0, 7);
  rates.add_to(now, start + milliseconds(2'000));
  EXPECT_DOUBLE_EQ(now["vips"][0]["packets_per_second"].get<double>(), 500);
}

TEST(StatusRates, OfWhatIsNewOrBeganAnewAreAbsentOrFromZero) {
  const EventLoop::Clock::time_point start{};
  StatusRates rates;
  json first = site(1, 1, 7);
  rates.add_to(first, start);
  EXPECT_FALSE(first["vips"][0].contains("packets_per_second")) << "nothing to compare with";
  rates.remember(site(100, 10, 7), start);
  json replaced = site(40, 5, 8);
  rates.add_to(replaced, start + milliseconds(1'000));
  EXPECT_DOUBLE_EQ(replaced["vips"][0]["packets_per_second"].get<double>(), 40);
  EXPECT_FALSE(replaced["nodes"][0]["workers"][0].contains("requests_per_second")) << "another process";
}

}  // namespace
}  // namespace gatehouse::control
