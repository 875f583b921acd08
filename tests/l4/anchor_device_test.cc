// The interface that announces, in a network namespace of the test's own: what is on it, what the host makes
// of it, and how it ends. Needs root.
#include "l4/anchor_device.h"

#include <gtest/gtest.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "l4/route_netlink.h"

namespace gatehouse::l4 {
namespace {

using Addresses = std::vector<IpAddress>;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
const Addresses kBoth = {ip("198.51.100.10"), ip("2001:db8:100::10")};

// In a thread, and so in a network namespace, that ends with it.
void in_own_network(const std::function<void()>& task) {
  if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    task();
  }).join();
}

// What the kernel's table of its own addresses has for VIPs of the test.
int local_routes() {
  int count = 0;
  for (const int family : {AF_INET, AF_INET6}) {
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(family);
    const Status listed = netlink_dump(RTM_GETROUTE, &header, sizeof header, [&](const nlmsghdr& message) {
      const auto* route = static_cast<const rtmsg*>(NLMSG_DATA(&message));
      count += message.nlmsg_type == RTM_NEWROUTE && route->rtm_table == RT_TABLE_LOCAL &&
                       route->rtm_type == RTN_LOCAL
                   ? 1
                   : 0;
    });
    EXPECT_TRUE(listed) << listed.error().message;
  }
  return count;
}

// Seconds that the kernel lets the address of that family live; none: it has none.
std::optional<std::uint32_t> lifetime(int family) {
  std::optional<std::uint32_t> seconds;
  ifaddrmsg header{};
  header.ifa_family = static_cast<unsigned char>(family);
  const Status listed = netlink_dump(RTM_GETADDR, &header, sizeof header, [&](const nlmsghdr& message) {
    const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
    auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (const rtattr* each = IFA_RTA(info); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
      if (each->rta_type == IFA_CACHEINFO)
        seconds = static_cast<const ifa_cacheinfo*>(RTA_DATA(each))->ifa_valid;
    }
  });
  EXPECT_TRUE(listed) << listed.error().message;
  return seconds;
}

TEST(AnchorDevice, CarriesAddressesThatAreNoneOfTheHosts) {
  in_own_network([] {
    auto device = AnchorDevice::create("gh-vip0");
    ASSERT_TRUE(device) << device.error().message;
    EXPECT_EQ(*device->addresses(), Addresses());
    const auto keep = [&] {
      const Status kept = device->keep(kBoth, Duration(30'000));
      EXPECT_TRUE(kept) << kept.error().message;
      EXPECT_EQ(*device->addresses(), kBoth);
      return local_routes();
    };
    for (int i = 0; i < 1000 && (keep() > 0 || i < 2); ++i) usleep(20'000);
    EXPECT_EQ(keep(), 0);
    for (const int family : {AF_INET, AF_INET6}) EXPECT_LE(lifetime(family).value_or(99), 30u);
    ASSERT_TRUE(device->remove({kBoth[0]}));
    EXPECT_EQ(*device->addresses(), Addresses{kBoth[1]});
    EXPECT_TRUE(device->remove(kBoth)) << "one that is gone is no error";
  });
}

TEST(AnchorDevice, KeepsHundredsOfAddresses) {
  in_own_network([] {
    auto device = AnchorDevice::create("gh-vip0");
    ASSERT_TRUE(device) << device.error().message;
    Addresses many;
    for (int i = 0; i < 512; ++i)
      many.push_back(ip("198.51." + std::to_string(100 + i / 256) + "." + std::to_string(i % 256)));
    const Status kept = device->keep(many, Duration(30'000));
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_EQ(device->addresses()->size(), many.size());
    EXPECT_EQ(local_routes(), 0);
    EXPECT_TRUE(device->remove(many));
    EXPECT_EQ(device->addresses()->size(), 0u);
  });
}

TEST(AnchorDevice, TheKernelTakesAddressesAwayThatNobodyKeeps) {
  in_own_network([] {
    auto device = AnchorDevice::create("gh-vip0");
    ASSERT_TRUE(device) << device.error().message;
    ASSERT_TRUE(device->keep(kBoth, Duration(2'000)));
    EXPECT_EQ(device->addresses()->size(), 2u);
    const auto begin = std::chrono::steady_clock::now();
    const auto has_passed = [&](std::chrono::seconds time) {
      return std::chrono::steady_clock::now() - begin > time;
    };
    while (!device->addresses()->empty() && !has_passed(std::chrono::seconds(20))) usleep(20'000);
    EXPECT_TRUE(device->addresses()->empty());
  });
}

TEST(AnchorDevice, EndsWithItsLastDescriptorAndIsTakenOverByAnother) {
  in_own_network([] {
    auto device = AnchorDevice::create("gh-vip0");
    ASSERT_TRUE(device) << device.error().message;
    ASSERT_TRUE(device->keep(kBoth, Duration(30'000)));
    const auto second = AnchorDevice::create("gh-vip0");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().message, "cannot make the interface gh-vip0: Device or resource busy");
    Fd kept(dup(device->fd()));
    auto other = AnchorDevice::create("gh-other");
    ASSERT_TRUE(other) << other.error().message;
    *device = std::move(*other);
    EXPECT_FALSE(AnchorDevice::adopt(Fd(dup(kept.get())), "gh-other"));
    {
      const auto adopted = AnchorDevice::adopt(std::move(kept), "gh-vip0");
      ASSERT_TRUE(adopted) << adopted.error().message;
      EXPECT_EQ(*adopted->addresses(), kBoth);
    }
    EXPECT_EQ(if_nametoindex("gh-vip0"), 0u);
    EXPECT_FALSE(AnchorDevice::adopt(Fd(dup(0)), "gh-vip0"));
  });
}

}  // namespace
}  // namespace gatehouse::l4
