// Every example config is one that an operator could start from: valid, and nothing to warn of.
#include <gtest/gtest.h>

#include "common/config/load.h"
#include "tests/support/source_tree.h"

namespace gatehouse::test {
namespace {

TEST(Examples, AreValidAndNeedNoWarning) {
  auto files = files_below("config/examples", {".toml"});
  EXPECT_GE(files.size(), 2u);
  files.push_back("deploy/package/site.toml");
  for (const auto& file : files) {
    for (const config::Finding& finding : config::load_file(kSourceRoot / file).findings) ADD_FAILURE() << finding.text;
  }
}

}  // namespace
}  // namespace gatehouse::test
