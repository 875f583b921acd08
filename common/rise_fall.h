// A verdict from checks that may err: it turns with `rise` successes in a row, or `fall` failures.
#pragma once

#include <cstdint>

namespace gatehouse {

class RiseFall {
 public:
  // `is_up`: what is believed until evidence says otherwise.
  RiseFall(bool is_up, std::uint32_t rise, std::uint32_t fall) : is_up_(is_up), rise_(rise), fall_(fall) {}

  bool is_up() const { return is_up_; }
  // The last result was not what the verdict is.
  bool is_unsure() const { return streak_ > 0; }
  // Whether the verdict has turned. `counts_alone`: this result needs no others of its kind.
  bool note(bool is_success, bool counts_alone = false) {
    if (is_success == is_up_) {
      streak_ = 0;
      return false;
    }
    const std::uint32_t wanted = counts_alone ? 1 : is_success ? rise_ : fall_;
    if (++streak_ < wanted) return false;
    is_up_ = is_success;
    streak_ = 0;
    return true;
  }

 private:
  bool is_up_;
  std::uint32_t rise_, fall_;
  std::uint32_t streak_ = 0;  // results in a row against the verdict
};

}  // namespace gatehouse
