// JSON of versions, there and back.
#include "common/versions/version.h"

#include <algorithm>

#include "common/control/field_reader.h"
#include "common/digest.h"
#include "common/units.h"

namespace gatehouse::versions {
namespace {

using control::FieldReader;
using Json = nlohmann::json;

constexpr std::size_t kDigestDigits = 2 * kDigestBytes;
constexpr std::size_t kLongestWord = 1024;  // of who, coordinator, comment

bool is_digest(const std::string& text) {
  return text.size() == kDigestDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// None at all, or both a number and a digest.
bool is_id(const VersionId& id) {
  if (id.number == 0) return id.digest.empty();
  return id.number <= kMostNumber && is_digest(id.digest);
}

Result<VersionId> checked(const VersionId& id) {
  if (is_id(id)) return id;
  return Error{"version: expected a number up to " + std::to_string(kMostNumber) + " and a digest of " +
               std::to_string(kDigestDigits) + " hexadecimal digits"};
}

}  // namespace

std::int64_t now_in_seconds() { return unix_milliseconds() / 1'000; }

Version make_version(std::uint64_t number, std::string text) {
  Version version;
  version.id = {number, sha256_hex(text)};
  version.text = std::move(text);
  return version;
}

std::string to_string(const VersionId& id) {
  return id.exists() ? std::to_string(id.number) + " (" + id.digest.substr(0, 8) + ")" : "none";
}

Json to_json(const VersionId& id) { return {{"number", id.number}, {"digest", id.digest}}; }

Json to_json(const VersionState& state) {
  Json json = {{"committed", to_json(state.committed)}, {"problem", state.problem}};
  if (!state.prepared) return json;
  json["prepared"] = to_json(*state.prepared);
  json["coordinator"] = state.coordinator;
  return json;
}

Json describe(const Version& version) {
  Json json = to_json(version.id);
  json.update({{"time", version.time},
               {"who", version.who},
               {"coordinator", version.coordinator},
               {"comment", version.comment},
               {"undoes", version.undoes}});
  return json;
}

Json to_json(const Version& version) {
  Json json = describe(version);
  json["text"] = version.text;
  return json;
}

Result<VersionId> version_id_from_json(const Json& json) {
  VersionId id;
  FieldReader reader(json, "version");
  reader.number("number", id.number);
  reader.text("digest", id.digest);
  if (const Status read = reader.finish(); !read) return read.error();
  return checked(id);
}

Result<VersionState> version_state_from_json(const Json& json) {
  VersionState state;
  FieldReader reader(json, "versions");
  reader.text("problem", state.problem);
  const bool is_prepared = json.is_object() && json.contains("prepared");
  if (is_prepared) reader.text("coordinator", state.coordinator);
  if (const Status read = reader.finish(); !read) return read.error();
  const auto committed = version_id_from_json(json.value("committed", Json()));
  if (!committed) return committed.error();
  state.committed = *committed;
  if (!is_prepared) return state;
  const auto prepared = version_id_from_json(json["prepared"]);
  if (!prepared) return prepared.error();
  if (!prepared->exists()) return Error{"versions.prepared: expected a version"};
  state.prepared = *prepared;
  return state;
}

Result<Version> version_from_json(const Json& json) {
  Version version;
  FieldReader reader(json, "version");
  reader.number("time", version.time);
  reader.text("who", version.who);
  reader.text("coordinator", version.coordinator);
  reader.text("comment", version.comment);
  reader.number("undoes", version.undoes);
  reader.text("text", version.text);
  if (const Status read = reader.finish(); !read) return read.error();
  const auto id = version_id_from_json(json);
  if (!id) return id.error();
  if (!id->exists()) return Error{"version.number: expected one from 1 on"};
  if (std::max({version.who.size(), version.coordinator.size(), version.comment.size()}) > kLongestWord)
    return Error{"version: expected who, coordinator and comment of at most " + std::to_string(kLongestWord) +
                 " bytes"};
  if (sha256_hex(version.text) != id->digest)
    return Error{"version " + to_string(*id) +
                 ": its text has another digest: half of it is missing, or it was changed"};
  version.id = *id;
  return version;
}

}  // namespace gatehouse::versions
