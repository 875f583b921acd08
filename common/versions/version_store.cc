// A file is a line of JSON that describes the version, and then its text as it is.
#include "common/versions/version_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>

#include "common/check.h"
#include "common/files.h"
#include "common/json_fields.h"
#include "common/log.h"

namespace gatehouse::versions {
namespace {

using Json = nlohmann::json;

std::string file_text(const Version& version) {
  return describe(version).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n" + version.text;
}

Result<Version> parse_file(const std::string& text) {
  const std::size_t end = text.find('\n');
  Json json = parse_json(text.substr(0, end));
  if (end == text.npos || !json.is_object()) return Error{"expected a line of JSON and then the config"};
  json["text"] = text.substr(end + 1);
  return version_from_json(json);
}

}  // namespace

Result<std::unique_ptr<VersionStore>> VersionStore::open(const std::string& folder, std::size_t most) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), error);
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return system_error("cannot make " + folder);
  std::unique_ptr<VersionStore> store(new VersionStore(folder, most));
  if (!std::filesystem::is_directory(folder, error)) return Error{folder + ": expected a folder"};
  store->read_all();
  return store;
}

void VersionStore::read_all() {
  if (access(prepared_path().c_str(), F_OK) == 0) prepared_ = read("prepared");
  const auto known = numbers();
  for (auto number = known.rbegin(); number != known.rend() && !committed_; ++number) {
    auto version = read(std::filesystem::path(path_of(*number)).filename());
    if (version && version->id.number == *number) committed_ = std::move(version);
  }
  // The commit of it was the last thing that was done.
  if (prepared_ && committed_ && prepared_->id == committed_->id) static_cast<void>(discard());
}

// Put aside if it is not what it says: nothing may be made of it, and it must not be lost before somebody has
// seen it.
std::optional<Version> VersionStore::read(const std::string& name) {
  const std::string path = folder_ + "/" + name;
  const auto text = read_file(path);
  auto version = text ? parse_file(*text) : Result<Version>(text.error());
  const bool is_named = version && (name == "prepared" || path == path_of(version->id.number));
  if (is_named) return std::move(*version);
  damages_.push_back(path + ": put aside as .damaged: " +
                     (version ? "its name is not its number" : version.error().message));
  std::rename(path.c_str(), (path + ".damaged").c_str());
  return std::nullopt;
}

std::string VersionStore::path_of(std::uint64_t number) const {
  return folder_ + "/" + std::to_string(number) + ".version";
}

std::vector<std::uint64_t> VersionStore::numbers() const {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename();
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed == std::errc() && std::string_view(end) == ".version") numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

Status VersionStore::prepare(const Version& version) {
  if (const Status written = replace_file(prepared_path(), file_text(version)); !written) return written;
  prepared_ = version;
  return {};
}

Status VersionStore::commit() {
  GH_CHECK(prepared_.has_value());
  const std::string path = path_of(prepared_->id.number);
  if (std::rename(prepared_path().c_str(), path.c_str()) != 0) return system_error("cannot make " + path);
  // From here on it is committed: whoever reads the folder finds it so, and there is no way back.
  if (const Status synced = sync_folder_of(path); !synced) log_error("{}", synced.error().message);
  committed_ = std::exchange(prepared_, std::nullopt);
  forget_old();
  return {};
}

Status VersionStore::discard() {
  if (!prepared_) return {};
  if (unlink(prepared_path().c_str()) != 0 && errno != ENOENT)
    return system_error("cannot remove " + prepared_path());
  prepared_.reset();
  return sync_folder_of(prepared_path());
}

Status VersionStore::take(const Version& version) {
  if (const Status written = replace_file(path_of(version.id.number), file_text(version)); !written)
    return written;
  committed_ = version;
  forget_old();
  return {};
}

void VersionStore::remember(const Version& version) {
  const bool is_free = committed_ && version.id.number < committed_->id.number &&
                       access(path_of(version.id.number).c_str(), F_OK) != 0;
  if (is_free) static_cast<void>(replace_file(path_of(version.id.number), file_text(version)));
}

void VersionStore::forget_old() const {
  const auto known = numbers();
  for (std::size_t i = 0; i + most_ < known.size(); ++i) unlink(path_of(known[i]).c_str());
}

std::vector<Version> VersionStore::history() const {
  std::vector<Version> versions;
  for (const std::uint64_t number : numbers()) {
    if (auto version = find(number)) versions.insert(versions.begin(), std::move(*version));
  }
  return versions;
}

Result<Version> VersionStore::find(std::uint64_t number) const {
  const auto text = read_file(path_of(number));
  if (!text)
    return Error{"there is no version " + std::to_string(number) +
                 " here: `gatehouse history` shows those that are kept"};
  auto version = parse_file(*text);
  if (!version) return Error{path_of(number) + ": " + version.error().message};
  return version;
}

}  // namespace gatehouse::versions
