#include "l7/wall_clock.h"

#include <cstdio>

namespace gatehouse::l7 {

void WallClock::refresh() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != second_) {
    second_ = now.tv_sec;
    std::tm parts{};
    gmtime_r(&second_, &parts);
    std::strftime(date_, sizeof date_, "%a, %d %b %Y %H:%M:%S GMT", &parts);
    std::strftime(stamp_, sizeof stamp_, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
  }
  const long milliseconds = now.tv_nsec / 1'000'000;
  stamp_[20] = static_cast<char>('0' + milliseconds / 100);
  stamp_[21] = static_cast<char>('0' + milliseconds / 10 % 10);
  stamp_[22] = static_cast<char>('0' + milliseconds % 10);
}

std::int64_t WallClock::seconds() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return now.tv_sec;
}

std::string_view WallClock::http_date() {
  refresh();
  return date_;
}

std::string_view WallClock::timestamp() {
  refresh();
  return stamp_;
}

}  // namespace gatehouse::l7
