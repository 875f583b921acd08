// Versions of a site's config: what one is called, what is said of it, and where a host stands between two of
// them. The number is the epoch at which all hosts switch; the digest is of the text, so that a version is
// never half of one. Of two versions the one with the higher number holds. Two coordinators that could not
// hear each other may give out the same number (only with `absent_ok`): then the higher digest holds,
// everywhere.
#pragma once

#include <compare>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "common/result.h"

namespace gatehouse::versions {

inline constexpr std::uint64_t kFirstNumber = 2;  // that apply gives out; 1 is the file as it was before
inline constexpr std::uint64_t kMostNumber = std::uint64_t{1} << 40;

struct VersionId {
  std::uint64_t number = 0;  // 0: none, the host runs its file
  std::string digest;        // SHA-256 of the text, in hexadecimal digits

  auto operator<=>(const VersionId&) const = default;
  bool exists() const { return number != 0; }
};

struct Version {
  VersionId id;
  std::int64_t time = 0;     // seconds of the Unix epoch, when it was made
  std::string who;           // "uid 0 (root)"
  std::string coordinator;   // the host that led it through both phases
  std::string comment;       // why, in words of people or of ours
  std::uint64_t undoes = 0;  // the number of the version that this one took back; 0: none
  std::string text;          // the config
};

// Since 1970, as versions and watches keep time.
std::int64_t now_in_seconds();

// Makes a version whose digest is that of `text`.
Version make_version(std::uint64_t number, std::string text);

// Where a host stands. It goes with every hello and report, so that nobody has to be asked.
struct VersionState {
  VersionId committed;
  std::optional<VersionId> prepared;  // agreed to, without having heard what came of it
  std::string coordinator;            // whose decision that is
  std::string problem;                // why `committed` is not what this host runs; empty: it is
};

// Short, for people: "7 (3f2a91c0)".
std::string to_string(const VersionId& id);

nlohmann::json to_json(const VersionId& id);
nlohmann::json to_json(const VersionState& state);
nlohmann::json describe(const Version& version);  // all but the text
nlohmann::json to_json(const Version& version);
// Errors name the field and what it should be; a text that does not have the digest is one.
Result<VersionId> version_id_from_json(const nlohmann::json& json);
Result<VersionState> version_state_from_json(const nlohmann::json& json);
Result<Version> version_from_json(const nlohmann::json& json);

}  // namespace gatehouse::versions
