#include "common/files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "common/fd.h"

namespace gatehouse {

Result<std::string> read_file(const std::string& file) {
  // Not blocking: a name may have become that of a pipe.
  const Fd fd(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.is_open() || fstat(fd.get(), &info) != 0) return system_error("cannot read " + file);
  if (!S_ISREG(info.st_mode)) return Error{"cannot read " + file + ": it is not a regular file"};
  std::string text;
  char block[16 * 1024];
  ssize_t count;
  while ((count = read(fd.get(), block, sizeof block)) > 0)
    text.append(block, static_cast<std::size_t>(count));
  if (count < 0) return system_error("cannot read " + file);
  return text;
}

}  // namespace gatehouse
