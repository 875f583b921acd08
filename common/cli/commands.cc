// What the commands do: one request to a daemon each, or a look at a file.
#include "common/cli/commands.h"

#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "common/address.h"
#include "common/cli/adjust_command.h"
#include "common/cli/bgp_command.h"
#include "common/cli/capture_file.h"
#include "common/cli/diff.h"
#include "common/cli/doctor.h"
#include "common/cli/documentation.h"
#include "common/cli/join_command.h"
#include "common/cli/prefix_command.h"
#include "common/cli/report.h"
#include "common/cli/site_command.h"
#include "common/cli/talk.h"
#include "common/cli/version_command.h"
#include "common/config/check_certificates.h"
#include "common/config/check_discovery.h"
#include "common/config/check_files.h"
#include "common/config/check_prefix_lists.h"
#include "common/config/load.h"
#include "common/config/reference.h"
#include "common/control/channel.h"
#include "common/json_fields.h"

namespace gatehouse::cli {
namespace {

constexpr const char* kConfigFile = "/etc/gatehouse/site.toml";
constexpr Duration kReloadPatience{60'000};  // an L4 host waits for its nodes

int check(const Invocation& invocation) {
  const std::string& file = invocation.arguments[0];
  config::Loaded loaded = config::load_file(file);
  if (loaded.is_valid()) {
    for (config::Finding& finding : config::check_certificates(loaded)) loaded.findings.push_back(std::move(finding));
    for (config::Finding& finding : config::check_prefix_lists(loaded.config)) loaded.findings.push_back(std::move(finding));
    for (config::Finding& finding : config::check_files(loaded)) loaded.findings.push_back(std::move(finding));
    for (config::Finding& finding : config::check_discovery(loaded.config)) loaded.findings.push_back(std::move(finding));
  }
  std::size_t warnings = 0;
  for (const config::Finding& finding : loaded.findings) {
    std::fprintf(stderr, "%s\n", finding.text.c_str());
    if (finding.severity == config::Finding::Severity::kWarning) ++warnings;
  }
  if (!loaded.is_valid()) return 1;
  print(file + ": valid");
  if (warnings > 0) print(", " + std::to_string(warnings) + (warnings == 1 ? " warning" : " warnings"));
  print("\n");
  return 0;
}

// One more look every second, until a signal ends it.
int watch(const Invocation& invocation, Json status) {
  using Clock = std::chrono::steady_clock;
  const Patience patience;
  const bool is_json = invocation.has("--json");
  const std::string clear = ::isatty(STDOUT_FILENO) && !is_json ? "\033[H\033[2J" : "";
  Clock::time_point then = Clock::now();
  std::string text = is_json ? as_line(status) : status_report(status) + "\n";
  while (true) {
    print(clear + text);
    if (std::fflush(stdout) != 0 || !patience.wait_a_second()) return 0;
    Result<Json> answer = ask(invocation, "status", Json::object());
    if (!answer) {
      // A daemon that is being restarted comes back.
      text = is_json ? "" : answer.error().message + "\n";
      continue;
    }
    const Clock::time_point now = Clock::now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(then, now)).count();
    const Json earlier = std::exchange(status, std::move(*answer));
    text = is_json ? as_line(status) : status_report(status, earlier, seconds) + "\n";
  }
}

int status(const Invocation& invocation) {
  Result<Json> answer = ask(invocation, "status", Json::object());
  if (!answer) return complain(answer.error().message);
  if (invocation.has("--watch")) return watch(invocation, std::move(*answer));
  print(invocation.has("--json") ? as_line(*answer) : status_report(*answer));
  return 0;
}

int set_drain(const Invocation& invocation, bool on) {
  const std::string& node = invocation.arguments[0];
  const Result<Json> answer = ask(invocation, "drain", {{"node", node}, {"on", on}});
  if (!answer) return complain(answer.error().message);
  print(node + (on ? " drains: new connections go elsewhere, those that it has go on\n"
                   : " takes new connections again\n"));
  return 0;
}

int drain(const Invocation& invocation) { return set_drain(invocation, true); }
int undrain(const Invocation& invocation) { return set_drain(invocation, false); }

int reload(const Invocation& invocation) {
  const Result<Json> answer = ask(invocation, "reload", Json::object(), kReloadPatience);
  if (!answer) {
    // The findings, each with its file and line.
    std::fprintf(stderr, "%s\n", answer.error().message.c_str());
    return complain("nothing has changed");
  }
  const ReloadReport report = reload_report(*answer);
  print(report.text);
  if (report.refused.empty()) return 0;
  std::fputs(report.refused.c_str(), stderr);
  return complain("these nodes refused the config and go on with the one that they have");
}

// Until the daemon has made up its mind about a version that it watches: it does so with or without us.
int follow_watch(const Invocation& invocation, double number) {
  const Patience patience;
  for (;;) {
    const Result<Json> history = ask(invocation, "history", Json::object());
    const std::string state = history ? state_of_version(*history, number) : "watched";
    if (state == "in use") {
      print("it stays\n");
      return 0;
    }
    if (state != "watched") {
      std::fputs(history_report(*history).c_str(), stderr);
      return complain("it is not in use any more");
    }
    if (!patience.wait_a_second()) return complain("the daemon watches on: see `gatehouse history`");
  }
}

int report_change(const Invocation& invocation, const char* method, Json request) {
  const bool is_trial = request.value("dry_run", false), is_watched = request.contains("watch") && !is_trial;
  const Result<Json> answer = ask(invocation, method, std::move(request), kReloadPatience);
  if (!answer) {
    std::fprintf(stderr, "%s\n", answer.error().message.c_str());
    return complain("nothing has changed, on no host");
  }
  const ChangeReport report = change_report(*answer, is_trial);
  print(report.text);
  std::fflush(stdout);
  if (is_watched) return follow_watch(invocation, answer->value("number", 0.0));
  return report.is_whole || (!is_trial && invocation.has("--absent-ok")) ? 0 : 1;
}

int apply(const Invocation& invocation) {
  const std::string& file = invocation.arguments[0];
  const config::Loaded loaded = config::load_file(file);
  if (!loaded.is_valid()) {
    std::fprintf(stderr, "%s\n", loaded.errors().c_str());
    return complain("nothing has changed, on no host");
  }
  const Result<Json> current = ask(invocation, "version", {{"number", 0}});
  if (!current) return complain(current.error().message);
  Result<Json> request = apply_request(invocation, loaded.config.text, *current);
  if (!request) return complain(request.error().message, 2);
  print(unified_diff(text_of(member(*current, "text")), loaded.config.text, "in use", file));
  std::fflush(stdout);
  return report_change(invocation, "apply", std::move(*request));
}

int rollback(const Invocation& invocation) {
  Result<Json> request = rollback_request(invocation);
  if (!request) return complain(request.error().message, 2);
  return report_change(invocation, "rollback", std::move(*request));
}

int history(const Invocation& invocation) {
  const Result<Json> answer = ask(invocation, "history", Json::object());
  if (!answer) return complain(answer.error().message);
  print(invocation.has("--json") ? as_line(*answer) : history_report(*answer));
  return 0;
}

int explain_packet(const Invocation& invocation) {
  for (const std::string& endpoint : invocation.arguments) {
    if (Endpoint::parse(endpoint)) continue;
    return complain(
        "\"" + endpoint + "\" is no address with a port, such as 203.0.113.7:40000 or [2001:db8::7]:40000",
        2);
  }
  const Result<Json> answer = ask(invocation, "explain_packet",
                                  {{"source", invocation.arguments[0]},
                                   {"vip", invocation.arguments[1]},
                                   {"protocol", invocation.has("--udp") ? "udp" : "tcp"}});
  if (!answer) return complain(answer.error().message);
  print(explain_packet_report(*answer));
  return 0;
}

int explain(const Invocation& invocation) {
  if (invocation.has("--packet")) return explain_packet(invocation);
  if (invocation.has("--udp")) return complain("--udp goes with --packet SOURCE:PORT VIP:PORT", 2);
  Json headers = Json::array();
  for (const std::string& header : invocation.values("-H")) {
    const std::size_t colon = header.find(':');
    if (colon == header.npos || colon == 0) return complain("-H \"" + header + "\" is not 'Name: value'", 2);
    const std::size_t value = header.find_first_not_of(" \t", colon + 1);
    headers.push_back({header.substr(0, colon), value == header.npos ? "" : header.substr(value)});
  }
  Json request = {{"method", invocation.arguments[0]}, {"url", invocation.arguments[1]}, {"headers", std::move(headers)}};
  for (const std::string& client : invocation.values("--client")) request["client"] = client;
  for (const std::string& subject : invocation.values("--client-subject")) request["client_subject"] = subject;
  for (const std::string& listener : invocation.values("--listener")) request["listener"] = listener;
  const Result<Json> answer = ask(invocation, "explain", request);
  if (!answer) return complain(answer.error().message);
  print(explain_report(*answer));
  return 0;
}

Result<Json> capture_request(const Invocation& invocation) {
  Json request = Json::object();
  for (const char* name : {"vip", "verdict"}) {
    const auto values = invocation.values(std::string("--") + name);
    if (!values.empty()) request[name] = values.back();
  }
  for (const char* name : {"sample", "count", "seconds"}) {
    const auto values = invocation.values(std::string("--") + name);
    if (values.empty()) continue;
    std::uint32_t number = 0;
    const std::string& text = values.back();
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool is_good = error == std::errc() && end == text.data() + text.size() && number > 0 && number <= 1'000'000;
    if (!is_good) return Error{std::string("--") + name + ": expected a number from 1 to 1000000, found \"" + text + "\""};
    const bool is_time = std::string_view(name) == "seconds";
    request[is_time ? "milliseconds" : name] = is_time ? std::uint64_t{number} * 1000 : number;
  }
  return request;
}

int capture(const Invocation& invocation) {
  const Result<Json> request = capture_request(invocation);
  if (!request) return complain(request.error().message, 2);
  const Duration longest(request->value("milliseconds", 10'000));
  const Result<Json> answer = ask(invocation, "capture", *request, longest + kPatience);
  if (!answer) return complain(answer.error().message);
  const std::string& file = invocation.arguments[0];
  const CaptureFile capture = capture_file(*answer);
  std::ofstream stream(file, std::ios::binary);
  stream << capture.text;
  if (!stream.flush()) return complain("cannot write " + file + ": " + std::strerror(errno));
  print(std::to_string(capture.packets) + (capture.packets == 1 ? " packet" : " packets") + ", as it came and as it left, in " + file + "\n");
  return 0;
}

int prefix(const Invocation& invocation) {
  Result<Json> request = prefix_request(invocation.arguments);
  if (!request) return complain(request.error().message, 2);
  // A long list comes in pages.
  for (std::size_t next = 0;; (*request)["place"] = next) {
    const Result<Json> answer = ask(invocation, "prefix", *request, kReloadPatience);
    if (!answer) return complain(answer.error().message);
    print(prefix_report(*request, *answer));
    next = answer->value("next", std::size_t{0});
    if (next == 0) return 0;
  }
}

int bgp(const Invocation& invocation) {
  const auto last = [&](const char* flag, const char* otherwise) {
    const auto values = invocation.values(flag);
    return values.empty() ? std::string(otherwise) : values.back();
  };
  const Result<std::string> text = bgp_text(
      {invocation.arguments[0], last("--config", kConfigFile), last("--host", ""), invocation.has("--part")});
  if (!text) return complain(text.error().message);
  print(*text);
  return 0;
}

int reference(const Invocation&) {
  print(config::reference_page());
  return 0;
}

int examine(const Invocation& invocation) {
  const auto last = [&](const char* flag, const char* otherwise) {
    const auto values = invocation.values(flag);
    return values.empty() ? std::string(otherwise) : values.back();
  };
  if (invocation.has("--host") && invocation.has("--node")) return complain("--host or --node, not both", 2);
  return doctor({last("--config", kConfigFile), last("--host", ""), last("--node", ""), last("--state-dir", ""), last("--bpf-dir", ""), last("--bird-socket", "")});
}

int manual(const Invocation&) {
  print(manual_page(commands()));
  return 0;
}

int completion(const Invocation&) {
  print(bash_completion(commands()));
  return 0;
}

int version(const Invocation&) {
  print("gatehouse " GATEHOUSE_VERSION "\n");
  return 0;
}

const Command kCommands[] = {
    {"check", "FILE", "Says what is wrong with a config, or that nothing is.", {}, check},
    {"status",
     "",
     "VIPs, ring, nodes, workers, pools and backends as the daemon sees them.",
     {{"--json", "", "one line of JSON, for programs"},
      {"--watch", "", "once a second, with rates, until Ctrl-C"}},
     status},
    {"drain",
     "NAME",
     "Of a node, a server, or this L4 host: new connections go elsewhere, those that it has go on.",
     {},
     drain},
    {"undrain", "NAME", "Ends a drain.", {}, undrain},
    {"reload",
     "",
     "Reads the config anew; an L4 host hands it to its nodes. Errors change nothing.",
     {},
     reload},
    {"apply",
     "FILE",
     "Makes FILE the config of all hosts, in two phases: all agree, or none changes. Shows the difference first. Ask an L4 host.",
     {{"--dry-run", "", "shows the difference and what hosts say to it; changes nothing"},
      {"--absent-ok", "", "goes on without hosts that are away: they take the version when they are back"},
      {"--comment", "TEXT", "why, for the history"},
      {"--watch", "TIME", "goes back by itself when errors (5xx) rise within that time, such as 60s"},
      {"--max-errors", "SHARE", "with --watch: by how much their share may rise; default: 1%"},
      {"--min-answers", "N", "with --watch: fewer answers say nothing; default: 100"}},
     apply},
    {"history",
     "",
     "The versions of the config: when, by whom, why, what became of them, and which host has which.",
     {{"--json", "", "one line of JSON, for programs"}},
     history},
    {"rollback",
     "[VERSION]",
     "Makes an earlier version the config of all hosts again, as apply does; without a number: the one before.",
     {{"--absent-ok", "", "goes on without hosts that are away"}},
     rollback},
    {"scale",
     "NODE COUNT",
     "How many workers a node runs, from now on: a number, \"auto\", or \"config\", what the config says. Ask an L4 host or the node.",
     {},
     scale},
    {"events",
     "",
     "What changed on this host, when and why.",
     {{"--kind", "KIND", "only of this kind; repeatable"},
      {"--since", "TIME", "only of the last 10m, say"},
      {"--follow", "", "and what comes, until Ctrl-C"},
      {"--json", "", "one line of JSON each, for programs"}},
     events},
    {"upgrade",
     "[WHAT]",
     "Goes on with the program that lies on disk: the daemon of this host, then, on a node, its workers; WHAT: daemon, or workers.",
     {},
     upgrade},
    {"explain",
     "METHOD URL",
     "Which route and pool answer a request, and why; with --packet, which node gets a flow.",
     {{"-H", "'NAME: VALUE'", "a header field of the request; repeatable"},
      {"--client", "ADDRESS", "whose request it is, for routes that look at it"},
      {"--client-subject", "SUBJECT", "of its verified certificate, with an https URL"},
      {"--listener", "NAME", "by whose rules for paths; default: the first that speaks HTTP"},
      {"--packet", "", "the arguments are SOURCE:PORT VIP:PORT; ask an L4 host"},
      {"--udp", "", "with --packet: of UDP, not TCP"}},
     explain},
    {"prefix",
     "ACTION LIST [PREFIX...]",
     "Prefix lists of an L4 host at run time: add LIST PREFIX..., remove LIST PREFIX..., load LIST FILE, list LIST, find ADDRESS.",
     {},
     prefix},
    {"weight",
     "ROUTE POOL WEIGHT",
     "Sets the weight of a route's pool at once, on this node, or by an L4 host on all; 0: none, \"config\": what the config says.",
     {},
     weight},
    {"backend",
     "POOL ADDRESS ACTION [WEIGHT]",
     "A backend, at once, on this node, or by an L4 host on all: drain (no new requests), disable (nor checks), undrain, enable, weight WEIGHT.",
     {},
     backend},
    {"capture",
     "FILE",
     "Writes packets as they came and as they left to FILE (pcapng); forwarding goes on.",
     {{"--vip", "NAME", "only to this VIP (or address:port)"},
      {"--verdict", "NAME", "only those with this verdict"},
      {"--sample", "N", "one of N; default: every one"},
      {"--count", "N", "at most N packets; default: 1000"},
      {"--seconds", "N", "no longer than that; default: 10"}},
     capture},
    {"authority",
     "ACTION",
     "The site's own authority, which signs the certificates of its hosts, on an L4 host: init, show, rotate, finish.",
     {{"--config", "FILE", "default: /etc/gatehouse/site.toml"},
      {"--host", "NAME", "with init: which [[l4_host]] this is; it gets its certificate at once"}},
     site_authority},
    {"token",
     "ACTION",
     "create: prints what lets one host join the site, once. Ask an L4 host that has the site's authority.",
     {{"--role", "ROLE", "node (default) or l4"},
      {"--name", "NAME", "only this one of the config; default: any"},
      {"--ttl", "TIME", "for how long; default: 10m"}},
     token},
    {"join",
     "TOKEN",
     "Makes this host the one of the site that the token says: certificate, key and config; \"-\": the token comes by standard input.",
     {{"--name", "NAME", "which host of the config this is, when the token does not say it"},
      {"--address", "ADDRESS", "where the L4 host is, if not where the token says"},
      {"--config", "FILE", "where the config is to be; default: /etc/gatehouse/site.toml"},
      {"--defaults", "FILE", "gets the host's name for the daemon's unit; default: that in /etc/default"}},
     join},
    {"doctor",
     "",
     "What is wrong with this host, each with its cure: kernel, network, files, limits. Changes nothing.",
     {{"--config", "FILE", "default: /etc/gatehouse/site.toml"},
      {"--host", "NAME", "which [[l4_host]] this is; default: the one, or the node, whose address is here"},
      {"--node", "NAME", "which [[node]] this is"},
      {"--state-dir", "DIR", "as given to the daemon"},
      {"--bpf-dir", "DIR", "as given to the daemon"},
      {"--bird-socket", "PATH", "BIRD's control socket; default: /run/bird/bird.ctl"}},
     examine},
    {"bgp",
     "DAEMON",
     "Prints the config of an L4 host's BGP daemon: bird, or frr.",
     {{"--config", "FILE", "the site's config; default: /etc/gatehouse/site.toml"},
      {"--host", "NAME", "which [[l4_host]]; needed when there are several"},
      {"--part", "", "of bird: to be included by another bird.conf"}},
     bgp},
    {"reference", "", "Every option of the config, with default and bounds.", {}, reference},
    {"manual", "", "The manual page, for man -l -.", {}, manual},
    {"completion", "", "Completion for bash: source <(gatehouse completion).", {}, completion},
    {"version", "", "The version of this program.", {}, version},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace gatehouse::cli
