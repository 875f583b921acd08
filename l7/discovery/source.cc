#include "l7/discovery/source.h"

#include <algorithm>
#include <set>

#include "common/log.h"
#include "common/units.h"
#include "l7/discovery/backend_rows.h"

namespace gatehouse::l7 {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kDay = 24 * 3'600'000;
constexpr std::size_t kMostNamed = 8;  // in a line of the log

std::int64_t age_ms(EventLoop::Clock::time_point then) {
  return std::chrono::duration_cast<Duration>(EventLoop::Clock::now() - then).count();
}

std::string count_of(const Backends& backends) {
  return std::to_string(backends.size()) + (backends.size() == 1 ? " backend" : " backends");
}

// Those of `backends` that are not in `others`.
std::string names_of(const char* what, const Backends& backends, const Backends& others) {
  std::set<Endpoint> known;
  for (const config::Backend& backend : others) known.insert(backend.address);
  std::string text;
  std::size_t count = 0;
  for (const config::Backend& backend : backends) {
    if (known.contains(backend.address)) continue;
    if (++count <= kMostNamed) text += " " + to_string(backend.address);
  }
  if (count == 0) return {};
  return std::string("; ") + what + text +
         (count > kMostNamed ? " and " + std::to_string(count - kMostNamed) + " more" : "");
}

}  // namespace

BackendSource::BackendSource(EventLoop& loop, std::string pool, std::string name,
                             const config::Discovery& options, Changed changed)
    : loop_(loop),
      pool_(std::move(pool)),
      name_(std::move(name)),
      options_(options),
      changed_(std::move(changed)) {}

void BackendSource::publish(Backends backends, const std::string& trouble) {
  const bool is_first = !std::exchange(has_spoken_, true);
  has_said_ = true;
  said_ = EventLoop::Clock::now();
  ++answers_;
  note_trouble(trouble, "");
  if (backends == backends_) return is_first ? changed_() : void();
  ++changes_;
  std::swap(backends, backends_);
  log_change(backends);
  changed_();
}

void BackendSource::fail(const std::string& trouble) {
  const bool is_first = !std::exchange(has_spoken_, true);
  ++failures_;
  note_trouble(trouble, ": " + count_of(backends_) + " as before");
  if (is_first) changed_();
}

// Said when it begins, changes and ends, not each time.
void BackendSource::note_trouble(const std::string& trouble, const std::string& consequence) {
  if (trouble == trouble_) return;
  trouble_ = trouble;
  if (trouble.empty()) return log_info("pool {}: {} answers again", pool_, name_);
  log_warn("pool {}: {}: {}{}", pool_, name_, trouble, consequence);
}

void BackendSource::log_change(const Backends& earlier) const {
  log_info("pool {}: {} by {}{}{}", pool_, count_of(backends_), name_, names_of("new:", backends_, earlier),
           names_of("gone:", earlier, backends_));
}

Json BackendSource::report() const {
  Json report = {{"source", name_},
                 {"is_ok", has_said_ && trouble_.empty()},
                 {"backends", backends_.size()},
                 {"answers", answers_},
                 {"failures", failures_},
                 {"changes", changes_},
                 {"returned", returned_},
                 {"reason", !has_spoken_ ? "no answer yet" : trouble_}};
  if (has_said_) report["age_ms"] = age_ms(said_);
  if (next_ != EventLoop::Clock::time_point()) report["next_ms"] = std::max<std::int64_t>(-age_ms(next_), 0);
  return report;
}

Json BackendSource::memory() const {
  if (!has_said_) return nullptr;
  const std::int64_t now = unix_milliseconds();
  return {{"backends", backend_rows(backends_)},
          {"said_at", now - age_ms(said_)},
          {"ask_at", now - age_ms(next_)}};
}

void BackendSource::remember(const Json& memory) {
  const auto number = [&memory](const char* name) {
    const auto found = memory.find(name);
    return found != memory.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  auto backends =
      memory.is_object() && memory.contains("backends") ? backends_from(memory["backends"]) : std::nullopt;
  if (!backends || has_spoken_) return;
  backends_ = std::move(*backends);
  has_spoken_ = has_said_ = true;
  const std::int64_t now = unix_milliseconds();
  said_ = EventLoop::Clock::now() - Duration(std::max<std::int64_t>(now - number("said_at"), 0));
  on_remembered(
      Duration(std::clamp<std::int64_t>(number("ask_at") - now, -kDay, options_.max_interval.count())));
}

}  // namespace gatehouse::l7
