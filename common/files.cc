#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "common/fd.h"

namespace gatehouse {

Result<std::string> read_file(const std::string& file) {
  auto text = read_file_if_any(file);
  if (!text) return text.error();
  return *text ? Result<std::string>(std::move(**text)) : system_error("cannot read " + file);
}

Result<std::optional<std::string>> read_file_if_any(const std::string& file) {
  // Not blocking: a name may have become that of a pipe.
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open() && errno == ENOENT) return std::optional<std::string>();
  struct stat info {};
  if (!fd.is_open() || fstat(fd.get(), &info) != 0) return system_error("cannot read " + file);
  if (!S_ISREG(info.st_mode)) return Error{"cannot read " + file + ": it is not a regular file"};
  std::string text;
  char block[16 * 1024];
  ssize_t count;
  while ((count = read(fd.get(), block, sizeof block)) > 0)
    text.append(block, static_cast<std::size_t>(count));
  if (count < 0) return system_error("cannot read " + file);
  return std::optional(std::move(text));
}

namespace {

Status write_all(const std::string& file, std::string_view text, Sync sync) {
  const Fd fd(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd.is_open()) return system_error("cannot write " + file);
  while (!text.empty()) {
    const ssize_t count = write(fd.get(), text.data(), text.size());
    if (count <= 0) return system_error("cannot write " + file);
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  if (sync == Sync::kDurable && fsync(fd.get()) != 0) return system_error("cannot sync " + file);
  return {};
}

}  // namespace

Status replace_file(const std::string& file, std::string_view text, Sync sync) {
  const std::string beside = file + ".new";
  Status written = write_all(beside, text, sync);
  if (written && std::rename(beside.c_str(), file.c_str()) != 0)
    written = system_error("cannot replace " + file);
  if (!written) {
    unlink(beside.c_str());
    return written;
  }
  return sync == Sync::kDurable ? sync_folder_of(file) : Status{};
}

Status sync_folder_of(const std::string& file) {
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  const Fd fd(open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open() || fsync(fd.get()) != 0) return system_error("cannot sync " + folder.string());
  return {};
}

std::string state_of_file(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return "";
  return std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + " " + std::to_string(info.st_ino) + " " +
         std::to_string(info.st_size);
}

}  // namespace gatehouse
