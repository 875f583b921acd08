// What changed on this host, when and why: for the operator who asks afterwards (`gatehouse events`). Kept in
// one file over restarts, bounded by kind, so that whatever flaps pushes nothing else out; what comes too
// fast is counted in its place. Whatever is wrong with the file costs what is damaged of it, and never an
// event of now.
//
// An event is reported where it happens, by report_event(); a new kind is one more line of kEventKinds.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "common/result.h"

namespace gatehouse {

inline constexpr std::string_view kEventKinds[] = {
    "daemon",        // began, was told to end, goes on as another program
    "config",        // another one is in use, or was refused
    "drain",         // began, ended
    "node",          // as L4 hosts see it
    "announcement",  // of an address, by BGP
    "identity",      // of hosts: tokens, who joined or may not, certificates
    "worker",        // began, ended, was replaced
    "scale",         // the number of workers
    "backend",       // its health, and what an operator set
    "ejection",      // of a backend, by its failures
    "weight",        // of a route's pool
};

// One of kEventKinds: another word does not compile.
class EventKind {
 public:
  consteval EventKind(const char* name) : index_(index_of(name)) {}
  std::size_t index() const { return index_; }
  std::string_view name() const { return kEventKinds[index_]; }

 private:
  static constexpr std::size_t index_of(std::string_view name) {
    std::size_t index = 0;
    while (kEventKinds[index] != name) ++index;  // past the end is no constant expression
    return index;
  }
  std::size_t index_;
};

struct Event {
  std::uint64_t number = 0;  // one more each time, over restarts
  std::int64_t time_ms = 0;  // Unix
  std::string kind;
  std::string subject;         // "worker 1"
  std::string what;            // "ended"
  std::string why;             // empty: nobody knows, or it goes without saying
  std::uint64_t left_out = 0;  // of this kind, since the one before
};

class EventLog {
 public:
  static constexpr std::size_t kMostOfKind = 300;
  static constexpr std::size_t kMostBytes = 512;  // of each text of an event
  static constexpr double kBurst = 30;            // of a kind
  static constexpr double kPerSecond = 0.1;       // after that

  using Clock = std::function<std::int64_t()>;  // Unix milliseconds
  // Events that cannot be written are kept in memory alone, which the log says.
  static std::unique_ptr<EventLog> open(const std::string& file, Clock clock = {});

  void add(EventKind kind, std::string_view subject, std::string_view what, std::string_view why = {});
  // {kinds: [NAME], since_ms, after: number, limit} → {events: [...], last: number, left_out: {kind: count}};
  // what is left out of `params` does not matter.
  Result<nlohmann::json> answer(const nlohmann::json& params) const;

 private:
  struct OfKind {
    std::deque<Event> events;
    double credit = kBurst;
    std::int64_t refilled_ms = 0;
    std::uint64_t left_out = 0;  // since the newest event
  };
  EventLog(std::string file, Clock clock) : file_(std::move(file)), clock_(std::move(clock)) {}
  void load();
  bool may_add(OfKind& kind, std::int64_t now) const;
  void keep(std::size_t kind, Event event);
  void append(const Event& event);
  void rewrite();

  std::string file_;
  Clock clock_;
  std::array<OfKind, std::size(kEventKinds)> kinds_;
  std::uint64_t last_ = 0;
  std::size_t lines_ = 0;  // of the file
  bool is_failing_ = false;
};

// Of this process; nullptr: events are not kept. Said once in main().
void use_event_log(EventLog* log);
void report_event(EventKind kind, std::string_view subject, std::string_view what, std::string_view why = {});
// What the command "events" is answered.
Result<nlohmann::json> answer_events(const nlohmann::json& params);

}  // namespace gatehouse
