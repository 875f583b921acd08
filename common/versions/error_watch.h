// Looks whether clients get more errors since a change than before it, and how long somebody wants that
// looked at.
//
// ErrorRate adds up what the workers of all nodes have answered, from counters that begin anew with each
// process. ErrorWatch compares the share of 5xx since a change, and within the last ten seconds, with that of
// the minute before; a share of too few answers says nothing. It is a file, too: the daemon that is restarted
// in between goes on watching.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "common/result.h"
#include "common/versions/version.h"

namespace gatehouse::versions {

struct Answers {
  std::uint64_t all = 0;
  std::uint64_t errors = 0;  // 5xx

  Answers operator-(const Answers& earlier) const { return {all - earlier.all, errors - earlier.errors}; }
  double share() const { return all == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(all); }
};

class ErrorRate {
 public:
  // What `worker` ("n1/0") has counted since it began, as process `pid`. The first word of a worker is where
  // counting begins.
  void hear(const std::string& worker, std::int32_t pid, Answers counted);
  void on_second();
  Answers total() const { return total_; }
  // Of the last `seconds`, or since we listen.
  Answers last(std::size_t seconds) const;

 private:
  static constexpr std::size_t kSeconds = 60;
  struct Heard {
    std::int32_t pid = 0;
    Answers counted;
  };
  std::map<std::string, Heard> workers_;
  Answers total_;
  std::deque<Answers> seconds_;  // totals, the latest last
};

// What somebody asked for with a change.
struct WatchBounds {
  std::int64_t seconds = 60;
  double rise = 0.01;         // of the share of errors
  std::uint64_t least = 100;  // answers
};

class ErrorWatch {
 public:
  explicit ErrorWatch(std::string file) : file_(std::move(file)) {}

  // Goes on with what the file says. `now`: seconds of the Unix epoch.
  void resume(const VersionId& in_use, const ErrorRate& rate, std::int64_t now);
  void begin(const VersionId& id, const WatchBounds& bounds, const ErrorRate& rate, std::int64_t now);
  void end();
  // What is wrong since the change, in words; none: nothing yet. Ends the watch when its time is over.
  std::optional<std::string> look(const ErrorRate& rate, std::int64_t now);

  bool is_on() const { return id_.exists(); }
  const VersionId& id() const { return id_; }
  std::int64_t until() const { return until_; }

 private:
  std::optional<std::string> compare(const Answers& since) const;

  std::string file_;
  VersionId id_;
  std::int64_t until_ = 0;
  WatchBounds bounds_;
  double before_ = 0;  // share of errors
  Answers start_;
  std::int64_t began_ = 0;
};

}  // namespace gatehouse::versions
