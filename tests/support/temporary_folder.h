// A folder of one test's own, gone with all in it when the test ends.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "common/check.h"

namespace gatehouse::test {

class TemporaryFolder {
 public:
  // On a file system in memory where there is one: some tests sync ten thousand times.
  TemporaryFolder() {
    std::string name =
        std::filesystem::exists("/dev/shm") ? "/dev/shm/gatehouse.XXXXXX" : "/tmp/gatehouse.XXXXXX";
    GH_CHECK(mkdtemp(name.data()));
    path_ = name;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace gatehouse::test
