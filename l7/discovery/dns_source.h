// Backends by DNS. It is asked again when the answer's TTL is over, within the bounds of the options, a
// little later each time by chance, so that nodes do not ask together. DNS that fails changes nothing, for
// however long. DNS that says that there is nothing is believed after `hold`. A backend that an answer does
// not have leaves with the `missing`th such answer in a row: there are servers that answer with another part
// of their addresses each time.
#pragma once

#include <map>
#include <memory>
#include <random>

#include "l7/discovery/dns_lookup.h"
#include "l7/discovery/source.h"

namespace gatehouse::l7 {

class DnsSource final : public BackendSource {
 public:
  DnsSource(EventLoop& loop, std::string pool, const config::Discovery& options, Changed changed);

  static std::string name_of(const config::Discovery& options);

 private:
  void on_remembered(Duration until_next) override;
  void look();
  void on_found(Found found);
  void merge(const Found& found);
  void on_none(const Found& found);
  void on_failed(const Found& found);
  void look_again(Duration wait);

  std::unique_ptr<DnsLookup> lookup_;
  Timer next_look_;
  std::map<Endpoint, std::uint32_t> absences_;             // in a row, of backends that are there
  std::map<Endpoint, EventLoop::Clock::time_point> left_;  // lately
  EventLoop::Clock::time_point none_since_{};              // the clock's smallest: there is something
  std::uint32_t failures_in_a_row_ = 0;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace gatehouse::l7
