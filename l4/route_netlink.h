// Requests to the kernel's rtnetlink, several with one system call: built into a buffer, sent, and each
// answered with 0 or an errno. Nothing here blocks: the kernel answers before the call that sends returns.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::l4 {

class NetlinkBatch {
 public:
  // Begins a request; attributes and nested ones follow.
  void begin(std::uint16_t type, std::uint16_t flags, const void* header, std::size_t size);
  void attribute(std::uint16_t type, const void* data, std::size_t size);
  // Until end_nested(its result).
  std::size_t begin_nested(std::uint16_t type);
  void end_nested(std::size_t place);

  std::size_t count() const { return starts_.size(); }
  // The errno of each request, in order; 0: done. An Error: the kernel could not be asked.
  Result<std::vector<int>> send();

 private:
  void pad();
  std::string bytes_;
  std::vector<std::size_t> starts_;
};

// Sends one dump request and calls `each` for every message of the answer.
Status netlink_dump(std::uint16_t type, const void* header, std::size_t size,
                    const std::function<void(const nlmsghdr&)>& each);

}  // namespace gatehouse::l4
