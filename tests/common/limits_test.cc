// Limits in a child, which may do to its own what a host would.
#include "common/limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace gatehouse {
namespace {

// What `task` says in a child with that limit; the first of its words is the soft limit afterwards.
std::string with_limit(__rlimit_resource resource, rlim_t soft, rlim_t hard,
                       const std::function<std::string()>& task) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{soft, hard};
    setrlimit(resource, &limit);
    const std::string said = task();
    rlimit after{};
    getrlimit(resource, &after);
    const std::string text = std::to_string(after.rlim_cur) + " " + said;
    [[maybe_unused]] const auto written = write(ends[1], text.data(), text.size());
    _exit(0);
  }
  close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t length = read(ends[0], text.data(), text.size());
  close(ends[0]);
  waitpid(child, nullptr, 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return text;
}

TEST(Limits, DescriptorsAreRaisedToWhatTheHostGrants) {
  EXPECT_EQ(with_limit(RLIMIT_NOFILE, 64, 300, [] { return raise_descriptor_limit(300, "it"); }), "300 ");
  EXPECT_EQ(with_limit(RLIMIT_NOFILE, 64, 300, [] { return raise_descriptor_limit(100, "it"); }), "300 ");
}

TEST(Limits, WhatIsNotGrantedIsNamedWithWhatToSet) {
  // Root may raise even the hard limit, unless it was deprived of that: more than the kernel has for anybody.
  constexpr std::uint64_t kTooMany = 1ull << 40;
  EXPECT_EQ(with_limit(RLIMIT_NOFILE, 64, 300, [] { return raise_descriptor_limit(kTooMany, "listeners"); }),
            "300 open files: the host grants 300 to a process, listeners may need 1099511627776: "
            "LimitNOFILE=1099511627776 in the unit, or "
            "ulimit -Hn where the daemon is started");
}

TEST(Limits, ProgramsGoOnWithoutHugePages) {
  std::string warning;
  using Words = std::vector<std::string>;
  EXPECT_EQ(within_huge_pages({"-l", "0-1"}, 3, warning), (Words{"-l", "0-1"}));
  EXPECT_EQ(within_huge_pages({"--no-huge", "-m", "256"}, 0, warning), (Words{"--no-huge", "-m", "256"}));
  EXPECT_EQ(within_huge_pages({"--in-memory"}, 0, warning), Words{"--in-memory"});
  EXPECT_EQ(warning, "");
  EXPECT_EQ(within_huge_pages({"-l", "0-1"}, 0, warning), (Words{"--no-huge", "-l", "0-1"}));
  EXPECT_NE(warning.find("sysctl -w vm.nr_hugepages=512"), warning.npos);
}

TEST(Limits, FreeHugePagesOfAllSizesCount) {
  const std::string folder = testing::TempDir() + "/hugepages-" + std::to_string(getpid());
  EXPECT_EQ(free_huge_pages(folder), 0u) << "a kernel without them";
  for (const char* size : {"hugepages-2048kB", "hugepages-1048576kB"}) {
    std::filesystem::create_directories(folder + "/" + size);
    std::ofstream(folder + "/" + size + "/free_hugepages") << 7 << "\n";
  }
  EXPECT_EQ(free_huge_pages(folder), 14u);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace gatehouse
