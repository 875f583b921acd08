// What is said of versions: there and back, and every field that is missing or wrong by its name.
#include "common/json_fields.h"
#include "common/versions/version.h"

#include <gtest/gtest.h>

namespace gatehouse::versions {
namespace {

using Json = nlohmann::json;

Version version() {
  Version version = make_version(7, "[site]\nname = \"x\"\n");
  version.time = 1'700'000'000;
  version.who = "uid 0 (root)";
  version.coordinator = "l4a";
  version.comment = "more \"shops\"";
  version.undoes = 6;
  return version;
}

TEST(Version, ComesBackAsItWas) {
  const auto back = version_from_json(parse_json(to_json(version()).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(version()));
  EXPECT_EQ(back->id, version().id);
}

TEST(Version, ItsDigestIsThatOfItsText) {
  EXPECT_EQ(make_version(1, "abc").id.digest,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Version, TheHigherNumberHoldsAndThenTheHigherDigest) {
  EXPECT_LT((VersionId{2, "ff"}), (VersionId{3, "00"}));
  EXPECT_LT((VersionId{3, "00"}), (VersionId{3, "ff"}));
}

TEST(Version, HalfATextIsRefused) {
  Json json = to_json(version());
  json["text"] = "[site]\n";
  const auto half = version_from_json(json);
  ASSERT_FALSE(half);
  EXPECT_NE(half.error().message.find("its text has another digest"), std::string::npos)
      << half.error().message;
}

TEST(Version, EveryWrongFieldIsNamed) {
  const struct {
    const char* field;
    Json value;
    const char* named;
  } kCases[] = {
      {"number", 0, "number"},
      {"number", -1, "number"},
      {"number", (std::uint64_t{1} << 40) + 1, "number"},
      {"number", "7", "number"},
      {"digest", "abc", "digest"},
      {"digest", std::string(64, 'G'), "digest"},
      {"digest", nullptr, "digest"},
      {"time", "now", "time"},
      {"who", 0, "who"},
      {"coordinator", Json::array(), "coordinator"},
      {"comment", std::string(1025, 'x'), "comment"},
      {"undoes", -1, "undoes"},
      {"text", 1, "text"},
  };
  for (const auto& each : kCases) {
    Json json = to_json(version());
    json[each.field] = each.value;
    const auto refused = version_from_json(json);
    ASSERT_FALSE(refused) << each.field << each.value;
    EXPECT_NE(refused.error().message.find(each.named), std::string::npos) << refused.error().message;
  }
  const Json good = to_json(version());
  for (const auto& [field, value] : good.items()) {
    Json json = good;
    json.erase(field);
    EXPECT_FALSE(version_from_json(json)) << field;
  }
  for (const char* none : {"null", "1", "[]", "{}"})
    EXPECT_FALSE(version_from_json(parse_json(none))) << none;
}

TEST(VersionState, ComesBackAsItWas) {
  const VersionState states[] = {
      {},
      {version().id, {}, "", ""},
      {version().id, make_version(8, "").id, "l4b", "no certificate"},
      {{}, make_version(2, "x").id, "l4a", ""},
  };
  for (const VersionState& state : states) {
    const auto back = version_state_from_json(parse_json(to_json(state).dump()));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(*back), to_json(state));
  }
}

TEST(VersionState, IsRefusedWhenItMakesNoSense) {
  const Json good = to_json(VersionState{version().id, make_version(8, "").id, "l4b", ""});
  const struct {
    const char* field;
    Json value;
  } kCases[] = {
      {"committed", Json()},
      {"committed", {{"number", 7}, {"digest", ""}}},
      {"committed", {{"number", 0}, {"digest", std::string(64, 'a')}}},
      {"prepared", {{"number", 0}, {"digest", ""}}},
      {"prepared", 8},
      {"coordinator", 1},
      {"problem", false},
  };
  for (const auto& each : kCases) {
    Json json = good;
    json[each.field] = each.value;
    EXPECT_FALSE(version_state_from_json(json)) << each.field << each.value;
  }
  Json json = good;
  json.erase("coordinator");
  EXPECT_FALSE(version_state_from_json(json));
}

}  // namespace
}  // namespace gatehouse::versions
