// SRV records as weights and backups.
#include "l7/discovery/srv_backends.h"

#include <gtest/gtest.h>

namespace gatehouse::l7 {
namespace {

const std::map<std::string, std::vector<IpAddress>> kAddresses = {
    {"a", {*IpAddress::parse("192.0.2.1")}},
    {"b", {*IpAddress::parse("192.0.2.2")}},
    {"both", {*IpAddress::parse("192.0.2.3"), *IpAddress::parse("192.0.2.4")}},
};

std::string said(std::vector<SrvRecord> records) {
  std::string text;
  for (const config::Backend& backend : srv_backends(records, kAddresses)) {
    const std::string address = to_string(backend.address);
    text += address.substr(8, address.find(':') - 8) + "*" + std::to_string(backend.weight) +
            (backend.backup ? "! " : " ");
  }
  return text;
}

TEST(SrvBackends, PriorityMakesBackupsAndWeightsAreShares) {
  EXPECT_EQ(said({{10, 3, 80, "a"}, {10, 1, 80, "b"}}), "1*3 2*1 ");
  EXPECT_EQ(said({{10, 3, 80, "a"}, {20, 7, 80, "b"}}), "1*3 2*7! ");
  EXPECT_EQ(said({{10, 3, 80, "gone"}, {20, 7, 80, "b"}}), "2*7! ");
  EXPECT_EQ(said({}), "");
}

TEST(SrvBackends, ATargetsAddressesShareItsWeight) {
  EXPECT_EQ(said({{0, 4, 80, "a"}, {0, 4, 80, "both"}}), "1*4 3*2 4*2 ");
  EXPECT_EQ(said({{0, 1, 80, "a"}, {0, 1, 80, "both"}}), "1*10000 3*5000 4*5000 ");
}

TEST(SrvBackends, WeightZeroIsHardlyEverUnlessAllHaveIt) {
  EXPECT_EQ(said({{0, 0, 80, "a"}, {0, 0, 80, "both"}}), "1*1 3*1 4*1 ");
  EXPECT_EQ(said({{0, 0, 80, "a"}, {0, 5, 80, "b"}}), "1*1 2*10000 ");
}

TEST(SrvBackends, LargeWeightsFit) {
  EXPECT_EQ(said({{0, 60'000, 80, "a"}, {0, 30'000, 80, "b"}}), "1*10000 2*5000 ");
}

TEST(SrvBackends, OneAddressOfTwoRecordsIsOneBackend) {
  EXPECT_EQ(said({{0, 1, 80, "a"}, {0, 2, 80, "a"}, {5, 7, 80, "a"}}), "1*3 ");
}

}  // namespace
}  // namespace gatehouse::l7
