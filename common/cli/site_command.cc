// Several requests, of which the later ones are answered by what the earlier ones have made.
#include "common/cli/site_command.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <optional>

#include "common/cli/talk.h"
#include "common/config/findings.h"
#include "common/json_fields.h"
#include "common/units.h"

namespace gatehouse::cli {
namespace {

using Json = nlohmann::json;

constexpr Duration kRehearsal{40'000};
constexpr Duration kStart{30'000};             // of the daemon after it
constexpr Duration kReplacement{30 * 60'000};  // of up to 64 workers, each of which has 20 s at most
constexpr Duration kLook{100};

std::string describe(const Json& status) {
  return "gatehouse-" + text_of(member(status, "tier")) + " " + text_of(member(status, "version"));
}

// Until another program answers; what it says of itself.
Result<Json> await_successor(const Invocation& invocation, const Json& before) {
  using Clock = std::chrono::steady_clock;
  const Patience patience;
  const auto end = Clock::now() + kStart;
  std::string why = "the daemon of before still answers";
  while (Clock::now() < end) {
    if (!patience.wait(kLook)) return Error{"the daemon goes on by itself: see `gatehouse status`"};
    Result<Json> now = ask(invocation, "status", Json::object());
    if (now && member(*now, "began_ms") != member(before, "began_ms")) return now;
    if (!now) why = now.error().message;
  }
  return Error{"the new program does not answer; what serves goes on without it: " + why};
}

int upgrade_daemon(const Invocation& invocation, const Json& before) {
  const Result<Json> begun = ask(invocation, "upgrade", Json::object(), kRehearsal);
  if (!begun) return complain(begun.error().message + "\nnothing has changed");
  const Result<Json> now = await_successor(invocation, before);
  if (!now) return complain(now.error().message);
  print(describe(before) + " is " + describe(*now) + " now\n");
  return 0;
}

int replace_workers(const Invocation& invocation) {
  const Result<Json> answer = ask(invocation, "replace_workers", Json::object(), kReplacement);
  if (!answer) return complain(answer.error().message);
  const auto deadline = number_of(member(*answer, "drain_timeout_ms"));
  print("workers replaced: " + text_of(member(*answer, "replaced")) +
        "; those of before finish what they have, within " +
        to_string(Duration(static_cast<std::int64_t>(deadline.value_or(0)))) + "\n");
  return 0;
}

}  // namespace

int upgrade(const Invocation& invocation) {
  const std::string what = invocation.arguments.empty() ? "" : invocation.arguments[0];
  if (!what.empty() && what != "daemon" && what != "workers")
    return complain("upgrade: expected daemon or workers, found \"" + what + "\"" +
                        config::suggest(what, {"daemon", "workers"}),
                    2);
  const Result<Json> before = ask(invocation, "status", Json::object());
  if (!before) return complain(before.error().message);
  const bool is_node = text_of(member(*before, "tier")) == "l7";
  if (what == "workers" && !is_node) return complain("an L4 host has no workers");
  if (what != "workers") {
    if (const int failed = upgrade_daemon(invocation, *before)) return failed;
  }
  return is_node && what != "daemon" ? replace_workers(invocation) : 0;
}

int scale(const Invocation& invocation) {
  const std::string& node = invocation.arguments[0];
  const Result<Json> answer = ask(invocation, "scale", {{"node", node}, {"count", invocation.arguments[1]}});
  if (!answer) return complain(answer.error().message);
  const Json& workers = member(*answer, "workers");
  print(node + ": " + text_of(member(workers, "wanted")) + " workers, " + text_of(member(workers, "why")) +
        "; " + text_of(member(workers, "serving")) + " serve now; the config says " +
        text_of(member(workers, "configured")) + "\n");
  return 0;
}

namespace {

std::string time_text(double unix_milliseconds) {
  const auto whole = static_cast<std::int64_t>(unix_milliseconds);
  const std::time_t seconds = whole / 1'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  char text[32], milliseconds[8];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  std::snprintf(milliseconds, sizeof milliseconds, ".%03d", static_cast<int>(whole % 1'000));
  return std::string(text) + milliseconds;
}

// What the last answer said is repeated by no later one.
Result<Json> events_request(const Invocation& invocation) {
  Json request = {{"kinds", invocation.values("--kind")}};
  for (const std::string& text : invocation.values("--since")) {
    const auto duration = parse_duration(text);
    if (!duration) return Error{"--since: expected a duration such as 10m or 90s, found \"" + text + "\""};
    request["since_ms"] = unix_milliseconds() - duration->count();
  }
  return request;
}

}  // namespace

std::string events_report(const Json& answer) {
  std::string text;
  for (const Json& event : list_member(answer, "events")) {
    std::string kind = text_of(member(event, "kind"));
    kind.resize(std::max<std::size_t>(kind.size(), 12), ' ');
    const std::string why = text_of(member(event, "why")), left_out = text_of(member(event, "left_out"));
    text += time_text(number_of(member(event, "time_ms")).value_or(0)) + "  " + kind + "  " +
            text_of(member(event, "subject")) + " " + text_of(member(event, "what")) +
            (why.empty() ? "" : ": " + why) +
            (left_out.empty() ? "" : " (" + left_out + " of this kind were left out before)") + "\n";
  }
  const Json& left_out = member(answer, "left_out");
  if (!left_out.is_object()) return text;
  for (const auto& [kind, count] : left_out.items())
    text += "since then " + text_of(count) + " of kind " + kind + " were left out: they come too fast\n";
  return text;
}

int events(const Invocation& invocation) {
  Result<Json> request = events_request(invocation);
  if (!request) return complain(request.error().message, 2);
  const bool is_followed = invocation.has("--follow");
  std::optional<Patience> patience;
  if (is_followed) patience.emplace();
  do {
    const Result<Json> answer = ask(invocation, "events", *request);
    if (!answer && !request->contains("after")) return complain(answer.error().message);
    if (!answer) continue;  // a daemon that is being restarted comes back
    (*request)["after"] = member(*answer, "last");
    if (invocation.has("--json")) {
      for (const Json& event : list_member(*answer, "events")) print(as_line(event));
    } else {
      print(events_report(is_followed ? Json{{"events", list_member(*answer, "events")}} : *answer));
    }
    if (std::fflush(stdout) != 0) return 0;
  } while (patience && patience->wait_a_second());
  return 0;
}

}  // namespace gatehouse::cli
