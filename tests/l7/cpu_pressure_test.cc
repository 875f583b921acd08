// What a worker refuses for want of CPU time: the arithmetic against a model, and a worker that has too
// little.
#include "l7/cpu_pressure.h"

#include <gtest/gtest.h>

#include "tests/l7/support/resilience_site.h"

namespace gatehouse::test {
namespace {

using l7::PriorityClass;

// A core that `offered` requests of each class would use so much of; one that is refused costs a tenth.
struct Core {
  double offered[l7::kPriorityClasses];
  double use() const {
    double sum = 0;
    for (std::size_t i = 0; i < l7::kPriorityClasses; ++i) {
      const double refused = pressure.share(static_cast<PriorityClass>(i));
      sum += offered[i] * (1 - refused + refused / 10);
    }
    return std::min(sum, 1.0);
  }
  void run(int windows, double allowed) {
    for (int i = 0; i < windows; ++i) pressure.step(use(), allowed);
  }
  l7::CpuPressure pressure;
};

struct CoreRow {
  const char* what;
  double offered[l7::kPriorityClasses];
  double use;              // where it comes to rest, about
  double default_refused;  // at most
};

TEST(CpuPressure, KeepsTheUseWhereItShouldBe) {
  const CoreRow rows[] = {
      {"not too much", {0.2, 0.3, 0.3}, 0.8, 0},
      {"a little too much", {0.2, 0.4, 0.5}, 0.9, 0},
      {"sheddable alone is not enough", {0.2, 1.2, 0.5}, 0.9, 0.7},
      {"what is critical is never refused", {1.5, 0.5, 0.5}, 1, 1},
  };
  for (const CoreRow& row : rows) {
    Core core;
    std::copy(std::begin(row.offered), std::end(row.offered), core.offered);
    core.run(100, 0.9);
    EXPECT_NEAR(core.use(), row.use, 0.05) << row.what;
    EXPECT_LE(core.pressure.share(PriorityClass::kDefault), row.default_refused) << row.what;
    EXPECT_EQ(core.pressure.share(PriorityClass::kCritical), 0) << row.what;
    std::fill(std::begin(core.offered), std::end(core.offered), 0.1);
    core.run(30, 0.9);
    EXPECT_EQ(core.pressure.share(PriorityClass::kSheddable), 0)
        << "three seconds later nothing is refused: " << row.what;
  }
}

TEST(CpuPressure, RefusesEvenly) {
  l7::CpuPressure pressure;
  for (int i = 0; i < 4; ++i) pressure.step(1, 0.85);  // to 0.4
  int refused = 0, in_a_row = 0, most_in_a_row = 0;
  for (int i = 0; i < 1'000; ++i) {
    const bool is_refused = pressure.refuses(PriorityClass::kSheddable);
    refused += is_refused;
    in_a_row = is_refused ? in_a_row + 1 : 0;
    most_in_a_row = std::max(most_in_a_row, in_a_row);
    EXPECT_FALSE(pressure.refuses(PriorityClass::kDefault));
  }
  EXPECT_NEAR(refused, 400, 1);
  EXPECT_EQ(most_in_a_row, 1);
}

TEST(CpuShedding, RefusesCheapRequestsFirst) {
  ResilienceSite site;
  Hostile& backend = site.add(Manner::kAnswers);
  for (const char* name : {"critical", "sheddable"}) {
    config::Route& route = site.config.routes.emplace_back();
    route.name = route.priority_class = name;
    route.path_prefix = "/" + route.name;
    route.pool = "main";
  }
  site.config.workers.shed_above_cpu = 1;  // what a test uses is more
  site.apply();
  const auto client = site.connect();
  Reply reply;
  const auto is_refused = [&] {
    for (int i = 0; i < 100 && reply.status != 503; ++i) reply = site.ask(*client, get("/sheddable"));
    return reply.status == 503;
  };
  ASSERT_TRUE(site.until(is_refused, Duration(60'000)));
  EXPECT_EQ(reply.field("X-Gatehouse-Reason"), "no-cpu");
  EXPECT_GE(site.counts().requests_shed_for_cpu, 1u);
  EXPECT_FALSE(backend.requests.empty());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(site.ask(*client, get("/critical")).status, 200);
  site.config.workers.shed_above_cpu = 0;
  site.apply();
  EXPECT_EQ(site.ask(*client, get("/sheddable")).status, 200) << "off is off";
}

}  // namespace
}  // namespace gatehouse::test
