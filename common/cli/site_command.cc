// Several requests, of which the later ones are answered by what the earlier ones have made.
#include "common/cli/site_command.h"

#include <chrono>

#include "common/cli/talk.h"
#include "common/config/findings.h"
#include "common/json_fields.h"

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

}  // namespace gatehouse::cli
