// Backends by a file (common/backend_list.h): read when it is written or replaced, and looked at every
// max_interval besides, for links to files elsewhere and file systems that notify nobody. A file that is bad
// or gone changes nothing.
#pragma once

#include "common/fd.h"
#include "l7/discovery/source.h"

namespace gatehouse::l7 {

class FileSource final : public BackendSource {
 public:
  FileSource(EventLoop& loop, std::string pool, const config::Discovery& options, Changed changed);

 private:
  void on_notification(std::uint32_t events);
  void look();

  Fd notifications_;
  Watch watch_;
  Timer settle_;
  bool is_settling_ = false;
};

}  // namespace gatehouse::l7
