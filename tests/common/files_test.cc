// Small files read and replaced whole.
#include "common/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;

class Files : public ::testing::TestWithParam<Sync> {
 protected:
  TemporaryFolder folder_;
  const std::string file_ = folder_.path() + "/state";
};
INSTANTIATE_TEST_SUITE_P(OfEachKind, Files, ::testing::Values(Sync::kDurable, Sync::kLater));

TEST_P(Files, AreReplacedWholeAndForTheirOwnerOnly) {
  const std::string longer(100'000, 'x');
  for (const std::string& text : {std::string("first"), longer, std::string(), std::string("last")}) {
    ASSERT_TRUE(replace_file(file_, text, GetParam()));
    EXPECT_EQ(*read_file(file_), text);
  }
  struct stat info {};
  ASSERT_EQ(stat(file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()), 1)
      << "nothing is left beside it";
}

TEST_P(Files, ThatCannotBeReplacedStayAndLeaveNothingBehind) {
  fs::create_directories(file_ + "/full");
  const Status replaced = replace_file(file_, "text", GetParam());
  ASSERT_FALSE(replaced);
  EXPECT_NE(replaced.error().message.find("cannot replace " + file_), std::string::npos)
      << replaced.error().message;
  EXPECT_TRUE(fs::is_directory(file_ + "/full"));
  EXPECT_FALSE(fs::exists(file_ + ".new"));
  const Status missing = replace_file(folder_.path() + "/none/state", "text", GetParam());
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("/none/state"), std::string::npos) << missing.error().message;
}

TEST(Files, ThatAreNotThereCanBeExpected) {
  const TemporaryFolder folder;
  const std::string file = folder.path() + "/state";
  EXPECT_EQ(read_file(file).error().message, "cannot read " + file + ": No such file or directory");
  const auto none = read_file_if_any(file);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
}

TEST(Files, ReadNothingButRegularFiles) {
  const TemporaryFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(read_file(pipe).error().message, "cannot read " + pipe + ": it is not a regular file");
  EXPECT_EQ(read_file_if_any(pipe).error().message, "cannot read " + pipe + ": it is not a regular file");
}

}  // namespace
}  // namespace gatehouse::test
