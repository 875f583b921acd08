// A steady load of real clients on a Site: gatehouse-load running on the lab's client host until stop().
#pragma once

#include <string>

#include "tests/integration/site.h"

namespace gatehouse::test {

struct LoadShape {
  int connections = 200;
  int rate = 1000;     // requests per second in all; 0: as fast as answers come
  int new_rate = 0;    // besides: connections of one request each, per second
  long read_rate = 0;  // bytes per second and connection; 0: unlimited
  int requests = 0;    // end by itself after so many; 0: no end
  std::vector<std::string> paths = {"/bytes/100", "/bytes/20000", "/api/bytes/300"};
};

class Load {
 public:
  // Returns when every connection is open and requests are answered.
  Load(Site& site, const LoadShape& shape);
  ~Load();

  std::uint64_t now_ms() const;  // on the clock of the report's failures
  bool is_running() const;
  bool wait_until_done(std::chrono::seconds limit) const;
  // Ends it; its report (tests/support/load_report.h).
  Json stop();

 private:
  Site& site_;
  std::string name_;
  std::string report_file_;
  std::uint64_t started_unix_ms_ = 0;
};

// How many of the report's failures satisfy `predicate`; all of them must be listed.
template <typename Predicate>
int count_failures(const Json& report, Predicate predicate) {
  int count = 0;
  for (const Json& failure : report["failures"]) count += predicate(failure) ? 1 : 0;
  return count;
}

}  // namespace gatehouse::test
