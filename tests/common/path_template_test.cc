// Templates of paths: what they take, what stands for their variables, what is none.
#include "common/config/path_template.h"

#include <gtest/gtest.h>

namespace gatehouse::config {
namespace {

PathTemplate parsed(const char* text) {
  auto result = PathTemplate::parse(text);
  EXPECT_TRUE(result) << text << ": " << result.error().message;
  return *result;
}

TEST(PathTemplate, TakesPathsSegmentBySegment) {
  const struct {
    const char* text;
    const char* path;
    bool takes;
  } rows[] = {
      {"/users/{id}", "/users/7", true},
      {"/users/{id}", "/users/", false},
      {"/users/{id}", "/users", false},
      {"/users/{id}", "/users/7/", false},
      {"/users/{id}", "/user/7", false},
      {"/users/{id}/", "/users/7/", true},
      {"/{a}/b/{c}", "/x/b/z", true},
      {"/{a}/b/{c}", "/x/c/z", false},
      {"/{a}/b/{c}", "//b/z", false},
      {"/files/{file...}", "/files/a/b.txt", true},
      {"/files/{file...}", "/files//", true},
      {"/files/{file...}", "/files/", false},
      {"/files/{file...}", "/files", false},
      {"/{all...}", "/", false},
      {"/", "/", true},
      {"/", "/a", false},
      {"/{a}", "*", false},
      {"/{a}", "", false},
  };
  for (const auto& row : rows) EXPECT_EQ(parsed(row.text).takes(row.path), row.takes) << row.text << " " << row.path;
}

TEST(PathTemplate, SaysWhatStandsForAVariable) {
  const PathTemplate path = parsed("/users/{id}/files/{file...}");
  EXPECT_EQ(path.value("/users/7/files/a/b", "id"), "7");
  EXPECT_EQ(path.value("/users/7/files/a/b", "file"), "a/b");
  EXPECT_EQ(path.value("/users/7/files/a/b", "users"), std::nullopt);
  EXPECT_EQ(path.fixed(), "/users");
  EXPECT_EQ(path.literal_bytes(), 12u);
  EXPECT_EQ(path.names(), (std::vector<std::string>{"id", "file"}));
  EXPECT_EQ(parsed("/{id}").fixed(), "");
}

TEST(PathTemplate, IsRefusedWithWhatWouldBeRight) {
  const struct {
    const char* text;
    const char* error;
  } rows[] = {
      {"users", "expected a path that begins with '/'"},
      {"/a{id}", "expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"a{id}\""},
      {"/{}", "expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"{}\""},
      {"/{a b}", "expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"{a b}\""},
      {"/{a", "expected a whole segment such as {id} for a variable, or {rest...} for the last one, found \"{a\""},
      {"/{a...}/b", "expected nothing behind {a...}"},
      {"/{a}/{a}", "expected one {a}"},
  };
  for (const auto& row : rows) {
    const auto result = PathTemplate::parse(row.text);
    ASSERT_FALSE(result) << row.text;
    EXPECT_EQ(result.error().message, row.error);
  }
}

}  // namespace
}  // namespace gatehouse::config
