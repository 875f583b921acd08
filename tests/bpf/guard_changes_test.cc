// Lists that change while packets come: what the old ones and the new ones agree on holds throughout, in both builds.
#include <atomic>
#include <thread>

#include "l4/guard_lists.h"
#include "tests/bpf/guarded_site.h"

namespace gatehouse::test {
namespace {

// One source is denied by all of these, each time by another rule; another is allowed by all. They take
// turns, on the list of one policy and, as a reload does, on lists that another policy names, while packets
// of both come.
const std::vector<std::vector<const char*>> kTurns = {{"192.0.2.0/24", "2001:db8:bad::/48"},
                                                      {"192.0.2.7", "192.0.0.0/16", "2001:db8:bad::7"},
                                                      {"0.0.0.0/0", "::/0"},
                                                      {"192.0.2.6/31", "2001:db8:bad::/64", "10.0.0.0/8"}};

template <typename Send>
void change_under_traffic(l4::DataPlane& plane, Send send) {
  const l4::GuardTables& tables = plane.tables().guard;
  config::Config config;
  config.prefix_lists = {{.name = "bad"}};
  l4::PrefixLists lists(tables, [&plane] { plane.wait_for_readers(); });
  l4::TableWriter writer(plane);
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> wrong = 0, sent = 0;
  std::thread traffic;
  for (int round = 0; round < 400; ++round) {
    for (const auto& turn : kTurns) {
      std::vector<IpPrefix> prefixes;
      for (const char* text : turn) prefixes.push_back(*IpPrefix::parse(text));
      config.prefix_lists[0].prefixes = prefixes;
      if (round % 2 == 0 && round > 0) {
        ASSERT_TRUE(lists.replace("bad", prefixes));
        continue;
      }
      const auto masks = lists.prepare(config, false);
      ASSERT_TRUE(masks) << masks.error().message;
      const std::uint16_t number = 10 + round / 2 % 2 * 4 + static_cast<std::uint16_t>(&turn - kTurns.data());
      tables.policies[number] = {.deny = masks->at("bad")};
      lists.commit();
      Site site = guarded_site();
      for (l4::VipEntry& vip : site.vips) vip.flags = policy(number);
      ASSERT_TRUE(writer.set_vips(site.vips));
      lists.finish();
      if (traffic.joinable()) continue;
      traffic = std::thread([&] {
        while (!is_over) {
          for (const char* source : {"192.0.2.7", "2001:db8:bad::7"})
            wrong += send(source) != GH_GUARD_DENIED, ++sent;
        }
      });
    }
  }
  ASSERT_TRUE(traffic.joinable());
  while (sent < 1'000) std::this_thread::yield();
  is_over = true;
  traffic.join();
  EXPECT_EQ(wrong, 0u) << "of " << sent;
}

using ChangingLists = GuardedPackets;
using ChangingListsInTheKernel = GuardedPacketsInTheKernel;

// A plane in memory with one reader, who counts the packets that it is through with.
class ReadPlane final : public l4::DataPlane {
 public:
  explicit ReadPlane(l4::MemoryPlane& plane) : plane_(plane) {}
  const l4::Tables& tables() override { return plane_.tables(); }
  void wait_for_readers() override {
    for (const std::uint64_t before = done; is_read && done < before + 2;) std::this_thread::yield();
  }
  std::uint64_t ticks() override { return plane_.ticks(); }
  std::uint32_t tick_multiplier() const override { return plane_.tick_multiplier(); }
  bool was_adopted() const override { return false; }

  std::atomic<bool> is_read = false;  // before the first packet begins
  std::atomic<std::uint64_t> done = 0;

 private:
  l4::MemoryPlane& plane_;
};

TEST_F(ChangingLists, ADeniedSourceStaysDeniedWhateverTheListsBecome) {
  ReadPlane plane(plane_);
  l4::Tables own = tables_;
  std::vector<gh_cpu> cpu(1);
  own.cpus = cpu;
  change_under_traffic(plane, [&](const char* source) {
    Bytes frame = Build().ethernet().packet(segment(source).build()).build();
    plane.is_read = true;
    const gh_verdict verdict = run_here(l4::balance, own, frame);
    ++plane.done;
    return verdict;
  });
}

TEST_F(ChangingListsInTheKernel, ADeniedSourceStaysDeniedWhateverTheListsBecome) {
  change_under_traffic(*plane_, [this](const char* source) {
    Bytes frame = Build().ethernet().packet(segment(source).build()).build();
    return run(frame) == XDP_DROP ? GH_GUARD_DENIED : GH_FORWARDED;
  });
}

}  // namespace
}  // namespace gatehouse::test
