#include "l7/refusal_log.h"

#include <string>
#include <utility>

#include "common/log.h"

namespace gatehouse::l7 {

void RefusalLog::add(std::string_view listener, const Endpoint& client, std::string_view why) {
  if (loop_.now() < next_) {
    ++left_out_;
    return;
  }
  next_ = loop_.now() + Duration(1'000);
  const std::uint64_t left_out = std::exchange(left_out_, 0);
  const std::string others =
      left_out ? " (and " + std::to_string(left_out) + " more refused since the last line)" : "";
  log_warn("listener {}: {} refused: {}{}", listener, to_string(client), why, others);
}

}  // namespace gatehouse::l7
