// Shares are written in percent, as people say them.
#include "common/cli/version_command.h"

#include <charconv>
#include <ctime>

#include "common/cli/text_table.h"
#include "common/json_fields.h"
#include "common/units.h"

namespace gatehouse::cli {
namespace {

std::string last(const Invocation& invocation, std::string_view flag, const std::string& otherwise = "") {
  const auto values = invocation.values(flag);
  return values.empty() ? otherwise : values.back();
}

template <typename Number>
bool parse(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<Json> watch_request(const Invocation& invocation) {
  const std::string time = last(invocation, "--watch");
  const auto duration = parse_duration(time);
  if (!duration || *duration < Duration(1'000))
    return Error{"--watch: expected a time of a second or more, such as 60s, not \"" + time + "\""};
  const std::string rise = last(invocation, "--max-errors", "1%");
  double percent = 0;
  if (!rise.ends_with('%') || !parse(std::string_view(rise).substr(0, rise.size() - 1), percent) ||
      percent < 0 || percent > 100) {
    return Error{"--max-errors: expected a share such as 1% or 0.5%, not \"" + rise + "\""};
  }
  const std::string answers = last(invocation, "--min-answers", "100");
  std::uint64_t least = 0;
  if (!parse(answers, least) || least == 0)
    return Error{"--min-answers: expected a number from 1 on, not \"" + answers + "\""};
  return Json{{"seconds", duration->count() / 1'000}, {"rise", percent / 100}, {"least", least}};
}

std::string time_of(const Json& version) {
  const auto seconds = static_cast<std::time_t>(number_of(member(version, "time")).value_or(0));
  std::tm parts{};
  char text[32] = "";
  if (localtime_r(&seconds, &parts)) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
  return text;
}

std::string number_text(const Json& version) { return text_of(member(version, "number")); }
std::string short_digest(const Json& version) { return text_of(member(version, "digest")).substr(0, 8); }

std::string standing_of(const Json& state) {
  const Json& committed = member(state, "committed");
  std::string text = number_text(committed) == "0" ? "its file" : "version " + number_text(committed);
  if (const Json& prepared = member(state, "prepared"); prepared.is_object()) {
    text += ", waits for " + text_of(member(state, "coordinator")) + " to decide on " + number_text(prepared);
  }
  const std::string problem = text_of(member(state, "problem"));
  return problem.empty() ? text : text + ": " + problem;
}

}  // namespace

Result<Json> apply_request(const Invocation& invocation, const std::string& text, const Json& current) {
  Json request = {{"text", text},
                  {"comment", last(invocation, "--comment")},
                  {"base", member(current, "config_digest")},
                  {"dry_run", invocation.has("--dry-run")},
                  {"absent_ok", invocation.has("--absent-ok")}};
  if (!invocation.has("--watch")) {
    if (invocation.has("--max-errors") || invocation.has("--min-answers"))
      return Error{"--max-errors and --min-answers go with --watch"};
    return request;
  }
  auto watch = watch_request(invocation);
  if (!watch) return watch.error();
  request["watch"] = std::move(*watch);
  return request;
}

Result<Json> rollback_request(const Invocation& invocation) {
  std::uint64_t number = 0;
  if (!invocation.arguments.empty() && (!parse(invocation.arguments[0], number) || number == 0)) {
    return Error{"\"" + invocation.arguments[0] +
                 "\" is no version: expected a number that `gatehouse history` shows"};
  }
  return Json{{"number", number}, {"absent_ok", invocation.has("--absent-ok")}};
}

ChangeReport change_report(const Json& answer, bool is_trial) {
  ChangeReport report;
  std::string others;
  std::size_t good = 0;
  if (const Json& hosts = member(answer, "hosts"); hosts.is_object()) {
    for (const auto& [host, said] : hosts.items()) {
      const std::string text = text_of(said);
      if (text == "ok") {
        ++good;
      } else {
        others += host + ": " + text + "\n";
      }
    }
  }
  report.is_whole = others.empty();
  for (const Json& note : list_member(answer, "notes")) report.text += text_of(note) + "\n";
  const std::string hosts = std::to_string(good) + (good == 1 ? " host" : " hosts");
  if (is_trial) {
    report.text += hosts + (good == 1 ? " agrees" : " agree") + "; nothing has changed\n" + others;
    return report;
  }
  report.text += "version " + number_text(answer) + " (" + short_digest(answer) + ") is in use on " + hosts +
                 "\n" + others;
  return report;
}

std::string history_report(const Json& answer) {
  TextTable table;
  table.add_row({"VERSION", "TIME", "DIGEST", "BY", "STATE", "COMMENT"});
  for (const Json& version : list_member(answer, "versions")) {
    table.add_row({number_text(version), time_of(version), short_digest(version),
                   text_of(member(version, "who")), text_of(member(version, "state")),
                   text_of(member(version, "comment"))});
  }
  std::string text =
      list_member(answer, "versions").empty() ? "no version yet: hosts run their files\n" : table.text();
  if (const Json& watch = member(answer, "watch"); watch.is_object()) {
    text += "\nversion " + number_text(watch) + " is watched for another " +
            text_of(member(watch, "seconds_left")) + " s\n";
  }
  const Json& hosts = member(answer, "hosts");
  if (!hosts.is_object()) return text;
  TextTable standings;
  standings.add_row({"HOST", "HAS"});
  for (const auto& [host, state] : hosts.items()) standings.add_row({host, standing_of(state)});
  return text + "\n" + standings.text();
}

std::string state_of_version(const Json& history, double number) {
  for (const Json& version : list_member(history, "versions")) {
    if (number_of(member(version, "number")) == number) return text_of(member(version, "state"));
  }
  return "";
}

}  // namespace gatehouse::cli
