#include "l7/discovery/file_source.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <filesystem>

#include "common/backend_list.h"
#include "common/log.h"

namespace gatehouse::l7 {
namespace {

constexpr Duration kSettle{50};
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB;

}  // namespace

FileSource::FileSource(EventLoop& loop, std::string pool, const config::Discovery& options, Changed changed)
    : BackendSource(loop, std::move(pool), "file " + options.file, options, std::move(changed)),
      notifications_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  std::string folder = std::filesystem::path(options.file).parent_path().string();
  if (folder.empty()) folder = ".";
  const bool is_watched =
      notifications_.is_open() && inotify_add_watch(notifications_.get(), folder.c_str(), kChanges) >= 0;
  if (is_watched) {
    watch_.start<&FileSource::on_notification>(loop, notifications_.get(), EPOLLIN, this);
  } else {
    log_warn("pool {}: {} is looked at every {}: {}", pool_, name_, to_string(options.max_interval),
             system_error(folder).message);
  }
  settle_.arm<&FileSource::look>(loop_, Duration(0), this);
}

// Many changes of the folder are one look.
void FileSource::on_notification(std::uint32_t) {
  alignas(inotify_event) char events[4096];
  while (::read(notifications_.get(), events, sizeof events) > 0) {
  }
  if (std::exchange(is_settling_, true)) return;
  settle_.arm<&FileSource::look>(loop_, kSettle, this);
}

void FileSource::look() {
  is_settling_ = false;
  settle_.arm<&FileSource::look>(loop_, options_.max_interval, this);
  expect_next(options_.max_interval);
  auto backends = load_backend_list(options_.file);
  if (!backends) return fail(backends.error().message);
  publish(std::move(*backends));
}

}  // namespace gatehouse::l7
