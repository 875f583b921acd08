// No file grows past what a reader can hold: 600 lines is the end, 400 the aim.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/source_tree.h"

namespace gatehouse::test {
namespace {

TEST(Size, NoSourceFileHasMoreThanSixHundredLines) {
  for (const char* folder : {"bpf", "common", "l4", "l7", "tests", "perf"}) {
    for (const auto& file : files_below(folder, {".h", ".cc", ".c"})) {
      const std::string text = read_text(kSourceRoot / file);
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 600) << file;
    }
  }
}

}  // namespace
}  // namespace gatehouse::test
