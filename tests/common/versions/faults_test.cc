// A thousand changes of a site's config, and in each of them something goes wrong, or two things, at any turn
// of the loop: however it ends, all hosts end with one version, and with one that somebody was told of, or
// nobody was told anything.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tests/common/versions/version_site.h"

namespace gatehouse::versions {
namespace {

constexpr int kRounds = 1'000;
constexpr int kTurns = 30;
constexpr int kFaultTurns = 10;  // the two phases take about as long

const std::vector<std::string> kHosts = {"l4a", "l4b", "n1", "n2", "n3"};

class Round {
 public:
  Round(VersionSite& site, unsigned seed) : site_(site), random_(seed), seed_(seed) {}

  void run() {
    before_ = site_.host("l4a").participant->state().committed;
    const int faults = 1 + pick(2);
    std::vector<std::pair<int, int>> plan;  // at which turn, which fault
    for (int i = 0; i < faults; ++i) plan.emplace_back(pick(kFaultTurns), pick(7));
    const int second = pick(5) == 0 ? pick(kFaultTurns) : -1;
    begin(pick(4) == 0 ? "l4b" : "l4a", "first");
    for (int turn = 0; turn < kTurns; ++turn) {
      for (const auto& [when, which] : plan) {
        if (when == turn) harm(which);
      }
      if (second == turn) begin("l4b", "second");
      if (pick(3) == 0) site_.report();
      if (pick(8) == 0) site_.connect();
      site_.turn(1);
    }
    heal();
    judge();
  }
  bool was_changed() const { return was_changed_; }
  bool was_refused() const { return was_refused_; }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  const std::string& any_host() { return kHosts[static_cast<std::size_t>(pick(5))]; }

  void begin(const std::string& l4, const std::string& mark) {
    if (!site_.host(l4).is_alive()) return;
    const std::string text = site_text(mark + " of " + std::to_string(seed_));
    wanted_.push_back({make_version(1, text).id.digest, site_.apply(l4, text, pick(3) == 0)});
  }

  void harm(int which) {
    const std::string& victim = any_host();
    Host& host = site_.host(victim);
    switch (which) {
      case 0:
      case 1:
        return site_.kill(victim);
      case 2:
        site_.kill(victim);
        return site_.start(victim);
      case 3:
        return site_.cut(victim, any_host());
      case 4:
        host.room = pick(6'000);
        return;
      case 5:
        host.is_deaf = true;
        return;
      case 6:
        host.refusal = "not with me";
        return;
    }
  }

  // A host that died while it wrote leaves such files.
  void litter(const std::string& host) {
    const std::string folder = site_.folder(host);
    if (pick(4) == 0) std::ofstream(folder + "/prepared.new") << "{\"number\": 7, ";
    std::error_code none;
    const std::string prepared = folder + "/prepared";
    if (pick(4) == 0 && std::filesystem::exists(prepared)) {
      std::filesystem::resize_file(prepared, static_cast<std::uintmax_t>(pick(400)), none);
    }
  }

  void heal() {
    for (const std::string& name : kHosts) {
      Host& host = site_.host(name);
      host.room = -1;
      host.is_deaf = false;
      if (!host.is_alive()) litter(name);
      site_.start(name);
      host.refusal.clear();
    }
  }

  void judge() {
    ASSERT_TRUE(site_.settle()) << "seed " << seed_ << "\n" << site_.standing();
    const VersionId now = site_.host("l4a").participant->state().committed;
    bool has_good = false, has_open = false, is_one_of_them = false;
    for (const auto& [digest, answer] : wanted_) {
      has_good = has_good || answer->is_good;
      has_open = has_open || !answer->is_there;
      was_refused_ = was_refused_ || (answer->is_there && !answer->is_good);
      // One that was refused was refused everywhere.
      const bool is_possible = answer->is_good || !answer->is_there;
      is_one_of_them = is_one_of_them || (is_possible && now.digest == digest);
    }
    was_changed_ = now != before_;
    EXPECT_TRUE(!was_changed_ || is_one_of_them)
        << "seed " << seed_ << ": nobody was promised " << to_string(now);
    EXPECT_TRUE(was_changed_ || !has_good)
        << "seed " << seed_ << ": somebody was promised another than " << to_string(now);
  }

  struct Wanted {
    std::string digest;
    std::shared_ptr<VersionSite::Answer> answer;
  };
  VersionSite& site_;
  std::mt19937 random_;
  unsigned seed_;
  VersionId before_;
  std::vector<Wanted> wanted_;
  bool was_changed_ = false;
  bool was_refused_ = false;
};

TEST(VersionFaults, AThousandChangesWithFaultsNeverLeaveTwoVersionsServing) {
  VersionSite site(Duration(30));
  int changed = 0, refused = 0;
  for (unsigned seed = 1; seed <= kRounds && !testing::Test::HasFailure(); ++seed) {
    Round round(site, seed);
    round.run();
    changed += round.was_changed();
    refused += round.was_refused();
  }
  // Faults that never hit anything, or always, would show nothing.
  EXPECT_GT(changed, kRounds / 20);
  EXPECT_GT(refused, kRounds / 20);
  std::printf("%d of %d changes came to be, %d were refused\n", changed, kRounds, refused);
}

}  // namespace
}  // namespace gatehouse::versions
