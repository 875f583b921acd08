// A host's versions on disk: those that were committed, the last so many of them, and at most one that is
// prepared. A file each, written beside, synced and renamed, so that a crash leaves the old or the new and
// never half; the name of a committed one is its number, and the rename that gives it that name is the
// commit. For a coordinator this is also the record of its decision (coordinator.h).
//
// A file that is not what it says (half of it missing, another number) is put aside with its reason and not
// used.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/versions/version.h"

namespace gatehouse::versions {

class VersionStore {
 public:
  static constexpr std::size_t kMost = 50;

  // Makes the folder if need be. `damages()` says what was put aside.
  static Result<std::unique_ptr<VersionStore>> open(const std::string& folder, std::size_t most = kMost);

  // Every Error names the file and leaves all as it was.
  Status prepare(const Version& version);  // in place of what was prepared before
  Status commit();                         // what is prepared
  Status discard();                        // what is prepared, if anything
  Status take(const Version& version);     // committed elsewhere: both in one; what is prepared stays
  // A version of before the first one, for those who want to go back to it: never the one in use.
  void remember(const Version& version);

  const std::optional<Version>& committed() const { return committed_; }
  const std::optional<Version>& prepared() const { return prepared_; }
  std::vector<Version> history() const;  // the newest first, without what is prepared
  Result<Version> find(std::uint64_t number) const;
  const std::vector<std::string>& damages() const { return damages_; }
  const std::string& folder() const { return folder_; }

 private:
  VersionStore(std::string folder, std::size_t most) : folder_(std::move(folder)), most_(most) {}
  void read_all();
  std::optional<Version> read(const std::string& name);
  std::string path_of(std::uint64_t number) const;
  std::string prepared_path() const { return folder_ + "/prepared"; }
  std::vector<std::uint64_t> numbers() const;  // of committed ones, rising
  void forget_old() const;

  std::string folder_;
  std::size_t most_;
  std::optional<Version> committed_;
  std::optional<Version> prepared_;
  std::vector<std::string> damages_;
};

}  // namespace gatehouse::versions
