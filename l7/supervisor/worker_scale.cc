// The file has one line: what was set ("-": nothing), and the last decision by load.
#include "l7/supervisor/worker_scale.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <sstream>

#include "common/files.h"
#include "common/log.h"
#include "l7/worker_places.h"

namespace gatehouse::l7 {
namespace {

std::optional<std::uint32_t> parse_count(const std::string& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_good =
      error == std::errc() && end == text.data() + text.size() && number >= 1 && number <= kMaxWorkers;
  return is_good ? std::optional(number) : std::nullopt;
}

}  // namespace

std::uint32_t WorkerScale::cores_here() {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? static_cast<std::uint32_t>(CPU_COUNT(&allowed))
                                                             : 1;
}

WorkerScale::WorkerScale(std::string file, std::uint32_t cores)
    : file_(std::move(file)), cores_(std::clamp<std::uint32_t>(cores, 1, kMaxWorkers)) {
  const auto text = read_file_if_any(file_);
  if (!text) log_warn("{}", text.error().message);
  if (!text || !*text) return;
  std::istringstream words(**text);
  std::string set, by_load;
  words >> set >> by_load;
  const bool is_good = set == "-" || set == "auto" || parse_count(set);
  if (!is_good) {
    log_warn("{} is not what it should be: the config says how many workers there are", file_);
    return;
  }
  set_ = set == "-" ? "" : set;
  by_load_ = parse_count(by_load).value_or(0);
}

WorkerScale::Bounds WorkerScale::bounds() const {
  const std::uint32_t most = config_.max > 0 ? config_.max : std::max(cores_, config_.min);
  return {std::min(std::max(config_.min, 1u), most), most};
}

bool WorkerScale::is_by_load() const {
  const bool is_auto = set_ == "auto" || (set_.empty() && config_.count == 0);
  return is_auto && (config_.min > 0 || config_.max > 0);
}

// To begin with all that there may be: what is too many will show, and costs nobody anything.
void WorkerScale::decide() {
  const auto set = parse_count(set_);
  count_ = set ? *set : set_.empty() && config_.count > 0 ? config_.count : cores_;
  if (is_by_load())
    count_ = by_load_ = std::clamp(by_load_ > 0 ? by_load_ : cores_, bounds().least, bounds().most);
  count_ = std::min(count_, kMaxWorkers);
}

void WorkerScale::save() const {
  const std::string text = (set_.empty() ? "-" : set_) + " " + std::to_string(by_load_) + "\n";
  if (const Status saved = replace_file(file_, text, Sync::kLater); !saved)
    log_warn("the number of workers will not outlive a restart: {}", saved.error().message);
}

void WorkerScale::set_config(const config::Workers& workers) {
  config_ = workers;
  busy_ = idle_ = 0;
  decide();
}

Status WorkerScale::set(const std::string& wanted) {
  if (wanted != "auto" && wanted != "config" && !parse_count(wanted)) {
    return Error{"expected a number of workers from 1 to " + std::to_string(kMaxWorkers) +
                 ", \"auto\" or \"config\", found \"" + wanted + "\""};
  }
  set_ = wanted == "config" ? "" : wanted;
  busy_ = idle_ = 0;
  decide();
  save();
  return {};
}

bool WorkerScale::measure(std::optional<std::uint32_t> use) {
  if (!use || !is_by_load()) return false;
  const auto [least, most] = bounds();
  const bool is_idle = count_ > least && std::uint64_t{*use} * count_ < std::uint64_t{kIdle} * (count_ - 1);
  busy_ = *use >= kBusy && count_ < most ? busy_ + 1 : 0;
  idle_ = is_idle ? idle_ + 1 : 0;
  if (busy_ < kBusySeconds && idle_ < kIdleSeconds) return false;
  by_load_ = busy_ >= kBusySeconds ? count_ + 1 : count_ - 1;
  busy_ = idle_ = 0;
  decide();
  save();
  return true;
}

std::string WorkerScale::configured() const {
  if (config_.count > 0) return std::to_string(config_.count);
  if (config_.min == 0 && config_.max == 0) return "auto";
  return "auto, " + std::to_string(bounds().least) + " to " + std::to_string(bounds().most);
}

std::string WorkerScale::why() const {
  return !set_.empty() && !is_by_load() ? "set at run time" : is_by_load() ? "by load" : "as configured";
}

}  // namespace gatehouse::l7
