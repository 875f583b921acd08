// The adaptive limit against a model of a service: slots that each take a while, a queue before them, and
// requests that come by chance. Time is the model's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <queue>
#include <random>
#include <vector>

#include "l7/backend/adaptive_limit.h"
#include "l7/backend/gradient.h"

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
      for (; !busy_.empty() && busy_.top().first <= now_; busy_.pop()) answered += finish(busy_.top());
      if (limit.enter(PriorityClass::kDefault)) begin();
    }
    return answered;
  }
  double capacity() const { return static_cast<double>(free_at_.size()) / service; }
  double slots() const { return static_cast<double>(free_at_.size()); }

  config::AdaptiveLimit config;
  double service;         // seconds, a fifth more or less
  double patience = 1e9;  // seconds
  AdaptiveCell cell{};
  AdaptiveLimit limit{config, cell, 0};

 private:
  using Request = std::pair<double, double>;  // done at, begun at
  void begin() {
    double& slot = *std::min_element(free_at_.begin(), free_at_.end());
    slot = std::max(now_, slot) + service * std::uniform_real_distribution<double>(0.8, 1.2)(random_);
    busy_.emplace(std::min(slot, now_ + patience), now_);
  }
  // Whether it was answered in time; else it was given up, and its slot worked for nobody.
  bool finish(const Request& request) {
    const double wait = request.first - request.second;
    const bool is_answered = wait < patience - 1e-6;
    limit.note(is_answered ? static_cast<std::uint64_t>(wait * 1e6) : kNoAnswer,
               static_cast<std::int64_t>(request.first * 1e3));
    limit.leave();
    return is_answered;
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

// What is given up waited as long as all others that were: that fewer of them are no faster says nothing.
TEST(AdaptiveModel, IsNotMisledByRequestsThatAreGivenUp) {
  for (const double patience : {0.45, 0.6, 1.0}) {
    Model model(16, 0.01);
    model.patience = patience;
    const double offered = 0.15 * model.capacity();
    model.run(offered, 5);
    model.service *= 20;
    const int answered = model.run(offered, 20);
    std::printf("given up after %.2f s: %.0f %% of the capacity served, limit %u\n", patience,
                100 * answered / (20 * model.capacity()), model.limit.limit());
    EXPECT_GE(answered, 0.6 * 20 * model.capacity()) << patience;
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
