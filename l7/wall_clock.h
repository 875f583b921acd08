// The time of day as text, made once a second: for Date fields and log lines.
#pragma once

#include <cstdint>
#include <ctime>
#include <string_view>

namespace gatehouse::l7 {

class WallClock {
 public:
  std::string_view http_date();   // IMF-fixdate (RFC 9110 §5.6.7): "Sat, 21 Nov 2026 01:02:03 GMT"
  std::int64_t seconds() const;   // since 1970
  std::string_view timestamp();   // RFC 3339 in UTC with milliseconds: "2026-11-21T01:02:03.004Z"

 private:
  void refresh();
  std::time_t second_ = -1;
  char date_[32] = {};
  char stamp_[40] = {};
};

}  // namespace gatehouse::l7
