// Shares of errors before and after.
#include "common/versions/error_watch.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "common/control/field_reader.h"
#include "common/files.h"
#include "common/json_fields.h"
#include "common/log.h"

namespace gatehouse::versions {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kWindow = 10;
constexpr std::size_t kBefore = 60;

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f %%", share * 100);
  return text;
}

}  // namespace

void ErrorRate::hear(const std::string& worker, std::int32_t pid, Answers counted) {
  const auto [heard, is_new] = workers_.try_emplace(worker, Heard{pid, counted});
  if (is_new) return;
  const bool is_same = heard->second.pid == pid && heard->second.counted.all <= counted.all &&
                       heard->second.counted.errors <= counted.errors;
  const Answers more = is_same ? counted - heard->second.counted : counted;
  total_ = {total_.all + more.all, total_.errors + more.errors};
  heard->second = {pid, counted};
}

void ErrorRate::on_second() {
  seconds_.push_back(total_);
  if (seconds_.size() > kSeconds) seconds_.pop_front();
}

Answers ErrorRate::last(std::size_t seconds) const {
  if (seconds_.empty()) return total_;
  return total_ - seconds_[seconds_.size() - std::min(seconds, seconds_.size())];
}

void ErrorWatch::begin(const VersionId& id, const WatchBounds& bounds, const ErrorRate& rate,
                       std::int64_t now) {
  id_ = id;
  bounds_ = bounds;
  until_ = now + bounds.seconds;
  before_ = rate.last(kBefore).share();
  start_ = rate.total();
  began_ = now;
  const Json json = {{"id", to_json(id)},
                     {"until", until_},
                     {"rise", bounds.rise},
                     {"least", bounds.least},
                     {"before", before_}};
  if (const Status kept = replace_file(file_, json.dump() + "\n"); !kept) {
    log_warn("the watch over version {} will not outlive this daemon: {}", to_string(id),
             kept.error().message);
  }
  log_info("version {} is watched for {} s: it goes back when more than {} of answers are errors",
           to_string(id), bounds.seconds, percent(before_ + bounds.rise));
}

void ErrorWatch::resume(const VersionId& in_use, const ErrorRate& rate, std::int64_t now) {
  const auto text = read_file(file_);
  if (!text) return;
  const Json json = parse_json(*text);
  control::FieldReader reader(json, "watch");
  reader.number("until", until_);
  reader.number("least", bounds_.least);
  const bool is_read = reader.finish().has_value() && json.value("rise", Json()).is_number() &&
                       json.value("before", Json()).is_number();
  const auto id = version_id_from_json(is_read ? json.value("id", Json()) : Json());
  if (!id) log_warn("{} is not what it should be: nothing is watched", file_);
  if (!id || *id != in_use || until_ <= now) return end();
  id_ = *id;
  bounds_.rise = json["rise"].get<double>();
  before_ = json["before"].get<double>();
  start_ = rate.total();
  began_ = now;
  log_info("version {} is watched for another {} s", to_string(id_), until_ - now);
}

void ErrorWatch::end() {
  id_ = {};
  unlink(file_.c_str());
}

std::optional<std::string> ErrorWatch::look(const ErrorRate& rate, std::int64_t now) {
  if (!is_on()) return std::nullopt;
  auto trouble = compare(rate.total() - start_);
  // What happens late must not hide behind a good beginning.
  if (!trouble && now - began_ > kWindow) trouble = compare(rate.last(kWindow));
  if (!trouble && now >= until_) {
    log_info("version {} stays: the watch over it is done", to_string(id_));
    end();
  }
  return trouble;
}

std::optional<std::string> ErrorWatch::compare(const Answers& since) const {
  if (since.all < bounds_.least || since.share() <= before_ + bounds_.rise) return std::nullopt;
  return "errors rose from " + percent(before_) + " to " + percent(since.share()) + " of answers (" +
         std::to_string(since.errors) + " of " + std::to_string(since.all) + ")";
}

}  // namespace gatehouse::versions
