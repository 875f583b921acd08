// What a load client saw: counts, failures with their exact kind, latencies, and a timeline in steps of 100
// ms. Pure book-keeping on one thread; `to_json` is the report that gatehouse-load writes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::test {

// Log-linear: every octave of nanoseconds in 32 steps, so that a percentile is right within 3 %.
class Latencies {
 public:
  void add(std::chrono::nanoseconds value);
  std::uint64_t count() const { return count_; }
  std::chrono::nanoseconds percentile(double percent) const;  // 100: the largest
  void clear() { *this = Latencies(); }

 private:
  static constexpr unsigned kSteps = 32;
  std::array<std::uint64_t, 59 * kSteps> counts_{};
  std::uint64_t count_ = 0;
  std::chrono::nanoseconds max_{0};
};

struct LoadReport {
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kListedFailures = 2'000;

  enum class Kind { kConnect, kTls, kReset, kTimeout, kTruncated, kStatus, kMismatch };
  struct Failure {
    std::uint64_t at_ms;
    Kind kind;
    std::uint64_t connection_requests;  // answered on that connection before
    std::string detail;
    std::string via;  // the node that answered last on that connection; empty: none yet
  };

  LoadReport();
  void record_ok(unsigned status, std::string_view via, std::string_view backend,
                 std::chrono::nanoseconds latency);
  void record_failure(Kind kind, std::uint64_t connection_requests, std::string detail, std::string_view via);
  nlohmann::json to_json() const;

  Clock::time_point started;
  std::uint64_t started_unix_ms = 0;
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  std::uint64_t unfinished = 0;   // in flight when the client was told to end: neither ok nor failed
  std::vector<Failure> failures;  // the first kListedFailures
  std::map<std::string, std::uint64_t, std::less<>> by_kind;
  std::map<unsigned, std::uint64_t> by_status;
  std::map<std::string, std::uint64_t, std::less<>> by_via;
  std::map<std::string, std::uint64_t, std::less<>> by_backend;
  std::uint64_t body_bytes = 0;
  std::uint64_t connections_opened = 0;  // handshakes included
  std::uint64_t connections_resumed = 0;  // of these: with an earlier connection's TLS session
  std::uint64_t connections_broken = 0;  // established, and ended by the peer without `Connection: close`
  std::uint64_t connections_broken_idle = 0;  // of these: ended cleanly while nothing was in flight
  std::uint64_t connections_open = 0;         // now
  Latencies latencies;

 private:
  struct Step {
    std::uint32_t ok = 0;
    std::uint32_t failed = 0;
  };
  Step& step();
  std::vector<Step> timeline_;
};

std::string_view to_string(LoadReport::Kind kind);

}  // namespace gatehouse::test
