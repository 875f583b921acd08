// The adaptive limit against a model of a service: slots that each take a while, a queue before them, and
// requests that come by chance. Time is the model's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>
#include <vector>

#include "l7/backend/adaptive_limit.h"

namespace gatehouse::l7 {
namespace {

class Model {
 public:
  Model(std::size_t slots, double service) : service(service), free_at_(slots, 0.0) { config.enabled = true; }

  // Requests come at `rate` a second for so long. Returns how many were answered meanwhile.
  int run(double rate, double seconds) {
    std::exponential_distribution<double> gap(rate);
    int answered = 0;
    for (const double end = now_ + seconds; now_ < end; now_ += gap(random_)) {
      for (; !busy_.empty() && busy_.top().first <= now_; busy_.pop(), ++answered) answer(busy_.top());
      if (limit.enter(PriorityClass::kDefault)) begin();
    }
    return answered;
  }
  double capacity() const { return static_cast<double>(free_at_.size()) / service; }
  double slots() const { return static_cast<double>(free_at_.size()); }

  config::AdaptiveLimit config;
  double service;  // seconds, a fifth more or less
  AdaptiveCell cell{};
  AdaptiveLimit limit{config, cell, 0};

 private:
  using Request = std::pair<double, double>;  // done at, begun at
  void begin() {
    double& slot = *std::min_element(free_at_.begin(), free_at_.end());
    slot = std::max(now_, slot) + service * std::uniform_real_distribution<double>(0.8, 1.2)(random_);
    busy_.emplace(slot, now_);
  }
  void answer(const Request& request) {
    limit.note(static_cast<std::uint64_t>((request.first - request.second) * 1e6),
               static_cast<std::int64_t>(request.first * 1e3));
    limit.leave();
  }

  std::mt19937 random_{1};
  double now_ = 1'000;
  std::vector<double> free_at_;
  std::priority_queue<Request, std::vector<Request>, std::greater<>> busy_;
};

TEST(AdaptiveModel, FindsWhatAServiceDoesAtOnce) {
  for (const std::size_t slots : {8, 16, 64, 200}) {
    for (const double service : {0.005, 0.02, 0.2}) {
      Model model(slots, service);
      model.run(0.3 * model.capacity(), 2);  // quiet at first
      model.run(3 * model.capacity(), 5 + 100 * service);
      const int answered = model.run(3 * model.capacity(), 2 + 20 * service);
      EXPECT_GE(answered, 0.9 * (2 + 20 * service) * model.capacity()) << slots << " " << service;
      EXPECT_LE(model.limit.limit(), 2 * model.slots() + 8) << slots << " " << service;
    }
  }
}

TEST(AdaptiveModel, FollowsAServiceThatIsTwentyTimesSlower) {
  for (const std::size_t slots : {4, 16, 64}) {
    Model model(slots, 0.01);
    const double offered = model.capacity() / 8;
    EXPECT_GE(model.run(offered, 5), 0.9 * 5 * offered);
    model.service *= 20;
    const int answered = model.run(offered, 10);
    std::printf("%zu slots, 20 times slower for 10 s: %.0f %% of the capacity served, limit %u\n", slots,
                100 * answered / (10 * model.capacity()), model.limit.limit());
    EXPECT_GE(answered, 0.8 * 10 * model.capacity());
    EXPECT_LE(model.limit.limit(), 2.5 * model.slots() + 8) << "and not many more wait there than must";
    model.service /= 20;
    model.run(offered, 1);
    EXPECT_GE(model.run(offered, 2), 0.9 * 2 * offered) << "as if nothing had been";
  }
}

TEST(AdaptiveModel, CostsLittleByItsProbes) {
  Model model(16, 0.01);
  model.run(100, 5);
  EXPECT_GE(model.run(2 * model.capacity(), 200), 0.97 * 200 * model.capacity());
}

TEST(AdaptiveModel, LimitsNothingWhileThereIsEnough) {
  Model model(64, 0.01);
  const int answered = model.run(0.7 * model.capacity(), 100);
  EXPECT_GE(answered, 0.98 * 0.7 * 100 * model.capacity());
}

}  // namespace
}  // namespace gatehouse::l7
