#include "l7/discovery/dns_source.h"

#include <algorithm>

namespace gatehouse::l7 {
namespace {

constexpr auto kSoon = std::chrono::minutes(10);  // for one that comes back
constexpr std::size_t kMostRemembered = 1024;     // of those that left

}  // namespace

DnsSource::DnsSource(EventLoop& loop, std::string pool, const config::Discovery& options, Changed changed)
    : BackendSource(loop, std::move(pool), name_of(options), options, std::move(changed)) {
  next_look_.arm<&DnsSource::look>(loop_, Duration(0), this);
}

std::string DnsSource::name_of(const config::Discovery& options) {
  return options.srv.empty() ? "dns " + options.dns : "srv " + options.srv;
}

// What is long over gives way to the first answer.
void DnsSource::on_remembered(Duration until_next) {
  const std::uint32_t absences = until_next < -options_.max_interval ? options_.missing - 1 : 0;
  for (const config::Backend& backend : backends()) absences_[backend.address] = absences;
  until_next = std::max(until_next, Duration(0));
  expect_next(until_next);
  next_look_.arm<&DnsSource::look>(loop_, until_next, this);
}

void DnsSource::look() {
  lookup_ = std::make_unique<DnsLookup>(loop_, options_, [this](Found found) { on_found(std::move(found)); });
}

void DnsSource::on_found(Found found) {
  lookup_.reset();
  if (found.kind == DnsAnswer::Kind::kFailed) return on_failed(found);
  failures_in_a_row_ = 0;
  look_again(std::clamp(found.ttl, options_.min_interval, options_.max_interval));
  if (found.kind == DnsAnswer::Kind::kNone) return on_none(found);
  none_since_ = {};
  merge(found);
}

void DnsSource::on_failed(const Found& found) {
  Duration wait = options_.min_interval;
  for (std::uint32_t i = 0; i < failures_in_a_row_ && wait < options_.max_interval; ++i) wait *= 2;
  ++failures_in_a_row_;
  look_again(std::min(wait, options_.max_interval));
  fail(found.reason);
}

void DnsSource::on_none(const Found& found) {
  const auto now = EventLoop::Clock::now();
  if (none_since_ == EventLoop::Clock::time_point()) none_since_ = now;
  const Duration left = options_.hold - std::chrono::duration_cast<Duration>(now - none_since_);
  if (!backends().empty() && left.count() > 0) {
    look_again(std::min(left, std::clamp(found.ttl, options_.min_interval, options_.max_interval)));
    return fail(found.reason);
  }
  absences_.clear();
  publish({}, found.reason);
}

void DnsSource::merge(const Found& found) {
  const auto now = EventLoop::Clock::now();
  std::erase_if(left_, [now](const auto& entry) { return now - entry.second > kSoon; });
  std::map<Endpoint, std::uint32_t> absences;
  for (const config::Backend& backend : found.backends) {
    absences[backend.address] = 0;
    returned_ += left_.erase(backend.address);
  }
  Backends all = found.backends;
  for (const config::Backend& backend : backends()) {
    if (absences.contains(backend.address)) continue;
    const bool is_unknown = backend.address.address.is_v4() ? found.has_failed_v4 : found.has_failed_v6;
    const std::uint32_t count = absences_[backend.address] + (is_unknown ? 0 : 1);
    if (count >= options_.missing || all.size() >= config::kMostDiscovered) {
      if (left_.size() < kMostRemembered) left_[backend.address] = now;
      continue;
    }
    absences[backend.address] = count;
    all.push_back(backend);
  }
  absences_ = std::move(absences);
  std::sort(all.begin(), all.end(),
            [](const auto& one, const auto& other) { return one.address < other.address; });
  publish(std::move(all), found.reason);
}

// Never earlier than asked for: what was answered holds until then.
void DnsSource::look_again(Duration wait) {
  wait += wait * static_cast<std::int64_t>(random_() % 1'000) / 10'000;
  expect_next(wait);
  next_look_.arm<&DnsSource::look>(loop_, wait, this);
}

}  // namespace gatehouse::l7
