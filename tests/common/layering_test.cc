// The direction of dependencies (README "Where things are"): bpf stands alone, common knows neither tier, the tiers do
// not know each other.
#include <gtest/gtest.h>

#include <set>

#include "tests/support/source_tree.h"

namespace gatehouse::test {
namespace {

struct Layer {
  const char* folder;
  std::set<std::string> may_include;
};

const Layer kLayers[] = {
    {"bpf", {"bpf"}},
    {"common", {"common"}},
    {"l4", {"l4", "common", "bpf"}},
    {"l7", {"l7", "common", "bpf"}},
};

TEST(Layering, EachFolderIncludesOnlyWhatIsBelowIt) {
  for (const Layer& layer : kLayers) {
    for (const auto& file : files_below(layer.folder, {".h", ".cc", ".c"})) {
      for (const std::string& include : includes_of(file)) {
        const std::string top = include.substr(0, include.find('/'));
        EXPECT_TRUE(layer.may_include.contains(top)) << file << " includes " << include;
      }
    }
  }
}

TEST(Layering, OnlySteeringKnowsBpfInL7) {
  for (const auto& file : files_below("l7", {".h", ".cc"})) {
    if (file.filename().string().starts_with("steering")) continue;
    for (const std::string& include : includes_of(file)) {
      EXPECT_FALSE(include.starts_with("bpf/")) << file << " includes " << include;
    }
  }
}

TEST(Layering, TopLevelFoldersAreTheOnesThatTheReadmeNames) {
  const std::set<std::string> known = {"common", "bpf", "l4", "l7", "config", "tests", "perf", "deploy", "build"};
  for (const auto& entry : std::filesystem::directory_iterator(kSourceRoot)) {
    const std::string name = entry.path().filename().string();
    if (!entry.is_directory() || name.starts_with(".")) continue;
    EXPECT_TRUE(known.contains(name)) << name;
  }
}

}  // namespace
}  // namespace gatehouse::test
