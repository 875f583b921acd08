// Rotation of the access log as logrotate does it: the file is moved away, then a signal.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "tests/integration/one_host.h"

namespace gatehouse::test {
namespace {

TEST(RotationOfTheAccessLog, LosesAndRepeatsNoLineUnderLoad) {
  if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
  OneHost host;
  host.start_backend(9001);
  host.write("site.toml",
             "[workers]\ncount = 2\n[access_log]\nfile = \"access.log\"\n[[listener]]\nname = "
             "\"web\"\naddresses = [\"" +
                 host.address() +
                 ":8080\"]\n[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" +
                 host.address() + ":9001\"]\n");
  host.start();
  const std::string url = "http://" + host.address() + ":8080/healthz?";
  const auto get = [&url](int number) {
    return lab::run({}, {"curl", "-sS", "--max-time", "20", url + std::to_string(number)}).text;
  };
  ASSERT_TRUE(lab::wait_until([&] { return get(0) == "ok\n"; }, std::chrono::seconds(30))) << host.log();
  // One that was refused before is not among them.
  const std::size_t before = host.access_log().size();
  pid_t pid = 0;
  ASSERT_TRUE(std::ifstream(host.file("state/lock")) >> pid);
  constexpr int kRequests = 120;
  for (int i = 0; i < kRequests; ++i) {
    if (i % 40 == 20) {
      std::filesystem::rename(host.file("access.log"), host.file("access.log." + std::to_string(i)));
      ASSERT_EQ(kill(pid, SIGUSR1), 0);
    }
    ASSERT_EQ(get(i), "ok\n") << i;
  }
  const auto lines_of = [&host](const std::string& name) {
    std::ifstream stream(host.file(name));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  };
  const auto all = [&] {
    std::vector<std::string> lines;
    for (const char* name : {"access.log.20", "access.log.60", "access.log.100", "access.log"}) {
      const auto part = lines_of(name);
      lines.insert(lines.end(), part.begin(), part.end());
    }
    return lines;
  };
  const bool is_complete =
      lab::wait_until([&] { return all().size() >= before + kRequests; }, std::chrono::seconds(20));
  const auto lines = all();
  EXPECT_TRUE(is_complete);
  EXPECT_EQ(lines.size(), before + kRequests);
  EXPECT_EQ(std::set(lines.begin(), lines.end()).size(), lines.size());
  // The first requests after a signal may still go to the file of before; the later ones do not.
  for (const char* name : {"access.log.60", "access.log.100", "access.log"})
    EXPECT_GT(lines_of(name).size(), 5u) << name;
  const auto mode = std::filesystem::status(host.file("access.log")).permissions();
  EXPECT_EQ(mode & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

}  // namespace
}  // namespace gatehouse::test
