// Who may do what once everything runs: read from /proc, as an auditor would.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using PrivilegeTest = SiteTest;

std::map<std::string, std::string> process_status(int pid) {
  std::map<std::string, std::string> fields;
  std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(":\t");
    if (colon != std::string::npos) fields[line.substr(0, colon)] = line.substr(colon + 2);
  }
  return fields;
}

TEST_F(PrivilegeTest, WorkersAreNobodyWithoutCapabilities) {
  const std::vector<Json> workers = site_->workers("n1");
  ASSERT_EQ(workers.size(), 2u);
  for (const Json& worker : workers) {
    auto status = process_status(worker.value("pid", 0));
    EXPECT_TRUE(status["Uid"].starts_with("65534\t65534\t65534")) << status["Uid"];
    for (const char* set : {"CapPrm", "CapEff", "CapInh", "CapAmb"}) EXPECT_EQ(status[set], "0000000000000000") << set;
    EXPECT_EQ(status["NoNewPrivs"], "1");
#ifndef __SANITIZE_ADDRESS__
    EXPECT_EQ(status["Seccomp"], "2") << "a filter";
#endif
    EXPECT_EQ(status["Groups"].find_first_not_of(" "), std::string::npos) << status["Groups"];
  }
}

TEST_F(PrivilegeTest, ANodeFindsNoPartOfTheSandboxMissing) {
  EXPECT_EQ(site_->log("n1").find("running without a part of the sandbox"), std::string::npos) << site_->log("n1");
}

TEST_F(PrivilegeTest, TheFrontDoorKeepsThreeCapabilities) {
  const auto process = site_->lab().find("l4a");
  ASSERT_TRUE(process);
  auto status = process_status(process->pid);
  constexpr std::uint64_t kNetAdmin = 1ull << 12, kPerfmon = 1ull << 38, kBpf = 1ull << 39;
  EXPECT_EQ(std::stoull(status["CapEff"], nullptr, 16), kNetAdmin | kPerfmon | kBpf) << status["CapEff"];
  EXPECT_EQ(status["CapPrm"], status["CapEff"]);
  EXPECT_EQ(status["NoNewPrivs"], "1");
}

}  // namespace
}  // namespace gatehouse::test
