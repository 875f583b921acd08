// Media types by name in Accept fields.
#include "common/media_type.h"

#include <gtest/gtest.h>

namespace gatehouse {
namespace {

TEST(MediaType, IsFoundInAnAcceptField) {
  const struct {
    const char* type;
    const char* accept;
    bool is_named;
  } rows[] = {
      {"application/json", "application/json", true},
      {"application/json", "Application/JSON", true},
      {"application/json", "text/html, application/json;q=0.5", true},
      {"application/json", "application/json;charset=utf-8", true},
      {"application/json", "application/json ; q=0", false},
      {"application/json", "application/json;q=0.000", false},
      {"application/json", "application/json;q=0.001", true},
      {"application/json", "*/*", false},
      {"application/json", "application/*", false},
      {"application/json", "application/json5", false},
      {"application/json", "", false},
      {"application/json", ",,", false},
      {"application/vnd.api+json;version=2", "application/vnd.api+json;version=2", true},
      {"application/vnd.api+json;version=2", "application/vnd.api+json; Version=\"2\"", true},
      {"application/vnd.api+json;version=2", "application/vnd.api+json;version=\"\\2\"", true},
      {"application/vnd.api+json;version=2", "application/vnd.api+json;version=\"2", false},
      {"application/vnd.api+json;version=2", "application/vnd.api+json;version=20", false},
      {"application/vnd.api+json;version=2", "application/vnd.api+json", false},
      {"application/vnd.api+json;version=2", "application/vnd.api+json, text/plain;version=2", false},
      {"application/vnd.api+json;version=2", "application/vnd.api+json;a=\",;\";version=2, */*", true},
      {"text/plain", "text/x;a=\"text/plain, text/plain\"", false},
      {"text/plain", "text/x;a=\"\\", false},
  };
  for (const auto& row : rows) {
    const auto type = MediaType::parse(row.type);
    ASSERT_TRUE(type) << row.type;
    EXPECT_EQ(type->is_named_in(row.accept), row.is_named) << row.type << " in " << row.accept;
  }
}

TEST(MediaType, IsNoneWithoutItsParts) {
  for (const char* text : {"", "json", "/json", "text/", "text/*", "*/*", "text/plain;q=1", "text/plain;a", "text/plain;=b", "te xt/plain", "a/b/c"}) {
    EXPECT_FALSE(MediaType::parse(text)) << text;
  }
}

}  // namespace
}  // namespace gatehouse
