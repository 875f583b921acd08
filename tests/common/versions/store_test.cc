// Versions on disk: what a host finds when it comes back, whatever it was doing when it went.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/common/versions/version_site.h"

namespace gatehouse::versions {
namespace {

Version version(std::uint64_t number, const std::string& text = "text") {
  Version version = make_version(number, text + " " + std::to_string(number) + "\n");
  version.coordinator = "l4a";
  return version;
}

class VersionStoreTest : public testing::Test {
 protected:
  std::unique_ptr<VersionStore> open(std::size_t most = VersionStore::kMost) {
    auto store = VersionStore::open(path(), most);
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  std::string path() const { return folder_.path() + "/a/versions"; }
  // Puts a version through both phases.
  static void bring(VersionStore& store, const Version& version) {
    ASSERT_TRUE(store.prepare(version));
    ASSERT_TRUE(store.commit());
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path()))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  test::TemporaryFolder folder_;
};

using Names = std::vector<std::string>;

TEST_F(VersionStoreTest, IsEmptyAtFirst) {
  const auto store = open();
  EXPECT_FALSE(store->committed());
  EXPECT_FALSE(store->prepared());
  EXPECT_TRUE(store->history().empty());
  EXPECT_TRUE(store->discard());
}

TEST_F(VersionStoreTest, WhatIsPreparedIsThereAfterARestartAndNotInUse) {
  ASSERT_TRUE(open()->prepare(version(2)));
  const auto store = open();
  EXPECT_FALSE(store->committed());
  ASSERT_TRUE(store->prepared());
  EXPECT_EQ(to_json(*store->prepared()), to_json(version(2)));
}

TEST_F(VersionStoreTest, WhatIsCommittedIsInUseAfterARestart) {
  bring(*open(), version(2));
  const auto store = open();
  ASSERT_TRUE(store->committed());
  EXPECT_EQ(to_json(*store->committed()), to_json(version(2)));
  EXPECT_FALSE(store->prepared());
}

TEST_F(VersionStoreTest, WhatIsDiscardedIsGone) {
  const auto store = open();
  bring(*store, version(2));
  ASSERT_TRUE(store->prepare(version(3)));
  ASSERT_TRUE(store->discard());
  EXPECT_EQ(store->committed()->id, version(2).id);
  EXPECT_EQ(files(), Names{"2.version"});
}

TEST_F(VersionStoreTest, KeepsTheLastVersionsOnly) {
  const auto store = open(3);
  for (std::uint64_t number = 8; number <= 12; ++number) bring(*store, version(number));
  EXPECT_EQ(files(), (Names{"10.version", "11.version", "12.version"}));
  const auto history = store->history();
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0].id.number, 12u);
  EXPECT_EQ(store->find(10)->text, version(10).text);
  EXPECT_NE(store->find(9).error().message.find("there is no version 9"), std::string::npos);
}

TEST_F(VersionStoreTest, AHalfWrittenVersionIsPutAsideWithItsReasonAndTheOneBeforeUsed) {
  bring(*open(), version(2));
  bring(*open(), version(3));
  std::filesystem::resize_file(path() + "/3.version", std::filesystem::file_size(path() + "/3.version") - 3);
  const auto store = open();
  ASSERT_TRUE(store->committed());
  EXPECT_EQ(store->committed()->id, version(2).id);
  ASSERT_EQ(store->damages().size(), 1u);
  EXPECT_NE(store->damages()[0].find("another digest"), std::string::npos) << store->damages()[0];
  EXPECT_EQ(files(), (Names{"2.version", "3.version.damaged"}));
}

TEST_F(VersionStoreTest, WhateverStandsInAFileIsRefusedAndNothingIsMadeOfIt) {
  bring(*open(), version(2));
  const std::string good = test::read_text(path() + "/2.version");
  const std::string others[] = {"",           "\n",       "{}\n",
                                "null\ntext", "[1]\n",    good.substr(0, good.find('\n')),
                                "x" + good,   good + " ", std::string(100, '\0')};
  for (const std::string& text : others) {
    std::ofstream(path() + "/9.version") << text;
    std::ofstream(path() + "/prepared") << text;
    const auto store = open();
    EXPECT_EQ(store->committed()->id, version(2).id) << text;
    EXPECT_FALSE(store->prepared()) << text;
    EXPECT_EQ(store->damages().size(), 2u) << text;
  }
  // One that is good, under the name of another.
  std::ofstream(path() + "/10.version") << good;
  EXPECT_EQ(open()->committed()->id, version(2).id);
}

TEST_F(VersionStoreTest, AFullDiskIsAnErrorAndChangesNothing) {
  const auto store = open();
  bring(*store, version(2));
  ASSERT_TRUE(store->prepare(version(3)));
  for (const rlim_t room : {0, 1, 100}) {
    const FullDisk full(room);
    EXPECT_FALSE(store->prepare(version(4)));
    EXPECT_FALSE(store->take(version(4)));
  }
  EXPECT_EQ(store->prepared()->id, version(3).id);
  EXPECT_EQ(files(), (Names{"2.version", "prepared"}));
  // What is prepared needs no room to be committed.
  const FullDisk full(0);
  EXPECT_TRUE(store->commit());
  EXPECT_EQ(open()->committed()->id, version(3).id);
}

TEST_F(VersionStoreTest, TakesWhatOthersCommittedAndKeepsWhatIsPrepared) {
  const auto store = open();
  ASSERT_TRUE(store->prepare(version(4)));
  ASSERT_TRUE(store->take(version(3)));
  EXPECT_EQ(store->committed()->id, version(3).id);
  EXPECT_EQ(store->prepared()->id, version(4).id);
}

TEST_F(VersionStoreTest, RemembersWhatWasBeforeTheFirstVersion) {
  const auto store = open();
  bring(*store, version(2));
  store->remember(version(1, "file"));
  EXPECT_EQ(store->committed()->id.number, 2u);
  EXPECT_EQ(open()->committed()->id.number, 2u);
  EXPECT_EQ(store->find(1)->text, "file 1\n");
}

TEST_F(VersionStoreTest, AFolderThatCannotBeIsAnError) {
  std::filesystem::create_directories(std::filesystem::path(path()).parent_path());
  std::ofstream{path()} << "a file";
  EXPECT_FALSE(VersionStore::open(path()));
}

}  // namespace
}  // namespace gatehouse::versions
