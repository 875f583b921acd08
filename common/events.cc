// One JSON object to a line, appended; the file is written anew when half of it has been forgotten.
#include "common/events.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "common/config/findings.h"
#include "common/fd.h"
#include "common/files.h"
#include "common/json_fields.h"
#include "common/log.h"
#include "common/units.h"

namespace gatehouse {
namespace {

constexpr std::size_t kSpare = 500;  // lines that need not be there
constexpr std::size_t kMostAtOnce = std::size(kEventKinds) * EventLog::kMostOfKind;

EventLog* of_this_process = nullptr;

std::optional<std::size_t> kind_of(std::string_view name) {
  const auto found = std::find(std::begin(kEventKinds), std::end(kEventKinds), name);
  if (found == std::end(kEventKinds)) return std::nullopt;
  return static_cast<std::size_t>(found - std::begin(kEventKinds));
}

Json to_json(const Event& event) {
  Json json = {{"number", event.number},
               {"time_ms", event.time_ms},
               {"kind", event.kind},
               {"subject", event.subject},
               {"what", event.what}};
  if (!event.why.empty()) json["why"] = event.why;
  if (event.left_out > 0) json["left_out"] = event.left_out;
  return json;
}

std::string line_of(const Event& event) {
  return to_json(event).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<Event> event_from(std::string_view line) {
  const Json json = parse_json(line);
  const auto whole = [&json](const char* key) -> std::uint64_t {
    const Json& value = member(json, key);
    return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
  };
  Event event{whole("number"),
              static_cast<std::int64_t>(whole("time_ms")),
              text_of(member(json, "kind")),
              text_of(member(json, "subject")),
              text_of(member(json, "what")),
              text_of(member(json, "why")),
              whole("left_out")};
  const bool is_good = event.number > 0 && event.time_ms > 0 && !event.kind.empty();
  return is_good ? std::optional(std::move(event)) : std::nullopt;
}

void put_in_order(std::vector<const Event*>& events) {
  std::sort(events.begin(), events.end(),
            [](const Event* one, const Event* other) { return one->number < other->number; });
}

std::string shortened(std::string_view text) { return std::string(text.substr(0, EventLog::kMostBytes)); }

}  // namespace

std::unique_ptr<EventLog> EventLog::open(const std::string& file, Clock clock) {
  std::unique_ptr<EventLog> log(new EventLog(file, clock ? std::move(clock) : unix_milliseconds));
  log->load();
  return log;
}

// A kind that a later version has is dropped with the next rewriting.
void EventLog::load() {
  const auto text = read_file_if_any(file_);
  if (!text) return log_warn("events of before are lost: {}", text.error().message);
  if (!*text) return;
  std::string_view rest = **text;
  std::size_t damaged = 0;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    auto event = end == rest.npos ? std::nullopt : event_from(rest.substr(0, end));
    rest.remove_prefix(std::min(rest.size(), end == rest.npos ? end : end + 1));
    if (!event) {
      ++damaged;
      continue;
    }
    ++lines_;
    last_ = std::max(last_, event->number);
    if (const auto kind = kind_of(event->kind)) keep(*kind, std::move(*event));
  }
  if (damaged == 0) return;
  log_warn("{}: {} events are damaged and dropped", file_, damaged);
  rewrite();
}

void EventLog::keep(std::size_t kind, Event event) {
  std::deque<Event>& events = kinds_[kind].events;
  events.push_back(std::move(event));
  if (events.size() > kMostOfKind) events.pop_front();
}

bool EventLog::may_add(OfKind& kind, std::int64_t now) const {
  const double seconds = static_cast<double>(std::max<std::int64_t>(now - kind.refilled_ms, 0)) / 1000;
  kind.credit = std::min(kBurst, kind.credit + seconds * kPerSecond);
  kind.refilled_ms = now;
  if (kind.credit < 1) return false;
  kind.credit -= 1;
  return true;
}

void EventLog::add(EventKind kind, std::string_view subject, std::string_view what, std::string_view why) {
  OfKind& of_kind = kinds_[kind.index()];
  const std::int64_t now = clock_();
  if (!may_add(of_kind, now)) {
    ++of_kind.left_out;
    return;
  }
  Event event{++last_,
              now,
              std::string(kind.name()),
              shortened(subject),
              shortened(what),
              shortened(why),
              std::exchange(of_kind.left_out, 0)};
  append(event);
  keep(kind.index(), std::move(event));
  std::size_t kept = 0;
  for (const OfKind& each : kinds_) kept += each.events.size();
  if (lines_ > 2 * kept + kSpare) rewrite();
}

void EventLog::append(const Event& event) {
  const std::string line = line_of(event);
  const Fd fd(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const bool is_written =
      fd.is_open() && write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (!is_written && !std::exchange(is_failing_, true))
    log_warn("events will not outlive this daemon: {}", system_error("cannot write " + file_).message);
  if (is_written) is_failing_ = false;
  ++lines_;
}

void EventLog::rewrite() {
  std::vector<const Event*> all;
  for (const OfKind& kind : kinds_) {
    for (const Event& event : kind.events) all.push_back(&event);
  }
  put_in_order(all);
  std::string text;
  for (const Event* event : all) text += line_of(*event);
  lines_ = all.size();
  if (const Status replaced = replace_file(file_, text, Sync::kLater); !replaced)
    log_warn("{}", replaced.error().message);
}

Result<Json> EventLog::answer(const Json& params) const {
  std::array<bool, std::size(kEventKinds)> is_wanted{};
  const Json& kinds = list_member(params, "kinds");
  for (const Json& name : kinds) {
    const auto kind = kind_of(text_of(name));
    const std::vector<std::string> known(std::begin(kEventKinds), std::end(kEventKinds));
    if (!kind)
      return Error{"there is no kind of events \"" + text_of(name) + "\"" +
                   config::suggest(text_of(name), known)};
    is_wanted[*kind] = true;
  }
  const double after = number_of(member(params, "after")).value_or(0),
               since = number_of(member(params, "since_ms")).value_or(0);
  const double limit = number_of(member(params, "limit")).value_or(kMostAtOnce);
  std::vector<const Event*> found;
  Json left_out = Json::object();
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    if (!kinds.empty() && !is_wanted[i]) continue;
    if (kinds_[i].left_out > 0) left_out[std::string(kEventKinds[i])] = kinds_[i].left_out;
    for (const Event& event : kinds_[i].events) {
      if (static_cast<double>(event.number) > after && static_cast<double>(event.time_ms) >= since)
        found.push_back(&event);
    }
  }
  put_in_order(found);
  const auto most = static_cast<std::size_t>(std::clamp(limit, 0.0, double{kMostAtOnce}));
  if (found.size() > most) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(most));
  Json events = Json::array();
  for (const Event* event : found) events.push_back(to_json(*event));
  return Json{{"events", std::move(events)}, {"last", last_}, {"left_out", std::move(left_out)}};
}

void use_event_log(EventLog* log) { of_this_process = log; }

void report_event(EventKind kind, std::string_view subject, std::string_view what, std::string_view why) {
  if (of_this_process) of_this_process->add(kind, subject, what, why);
}

Result<Json> answer_events(const Json& params) {
  if (!of_this_process) return Error{"this daemon keeps no events"};
  return of_this_process->answer(params);
}

}  // namespace gatehouse
