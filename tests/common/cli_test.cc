// The command line without a daemon: what is understood, and how answers look.
#include <gtest/gtest.h>

#include "common/cli/command_line.h"
#include "common/cli/prefix_command.h"
#include "common/cli/report.h"
#include "common/cli/text_table.h"
#include "common/json_fields.h"

namespace gatehouse::cli {
namespace {

using Words = std::vector<std::string>;

const Command kCommands[] = {
    {"status", "", "Shows.", {{"--json", "", "for programs"}}, nullptr},
    {"explain", "METHOD URL", "Explains.", {{"-H", "'NAME: VALUE'", "a field"}}, nullptr},
    {"prefix", "ACTION LIST [PREFIX...]", "Lists.", {}, nullptr},
    {"follow", "[NODE]", "Follows.", {}, nullptr},
};

TEST(CommandLine, TakesFlagsBeforeBetweenAndAfterArguments) {
  const auto invocation = parse_command_line(
      kCommands, {"--socket", "/s", "explain", "-H", "A: 1", "GET", "http://x/", "-H", "B: 2"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  EXPECT_EQ(invocation->command, &kCommands[1]);
  EXPECT_EQ(invocation->socket, "/s");
  EXPECT_EQ(invocation->arguments, (Words{"GET", "http://x/"}));
  EXPECT_EQ(invocation->values("-H"), (Words{"A: 1", "B: 2"}));
  EXPECT_FALSE(invocation->has("--json"));
}

TEST(CommandLine, TakesAValueAfterAnEqualsSign) {
  const auto invocation = parse_command_line(kCommands, {"status", "--socket=/a=b", "--json"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  EXPECT_EQ(invocation->socket, "/a=b");
  EXPECT_TRUE(invocation->has("--json"));
}

TEST(CommandLine, SaysWhatIsWrongAndWhatWasMeant) {
  const std::pair<Words, const char*> cases[] = {
      {{}, "a command is missing"},
      {{"statsu"}, "unknown command \"statsu\"; did you mean \"status\"?"},
      {{"status", "--jsno"}, "unknown flag of status \"--jsno\"; did you mean \"--json\"?"},
      {{"--sokcet", "x"}, "unknown flag \"--sokcet\"; did you mean \"--socket\"?"},
      {{"--json", "status"}, "unknown flag \"--json\""},  // it belongs to the command
      {{"status", "--json=yes"}, "--json takes no value"},
      {{"status", "now"}, "status takes no arguments"},
      {{"explain", "GET"}, "explain takes METHOD URL, not 1 argument"},
      {{"prefix", "add"}, "prefix takes ACTION LIST [PREFIX...], not 1 argument"},
      {{"follow", "a", "b"}, "follow takes [NODE], not 2 arguments"},
      {{"explain", "GET", "http://x/", "-H"}, "-H needs a value"},
      {{"status", "--socket"}, "--socket needs a value: --socket PATH"},
      {{"status", "--socket="}, "--socket needs a value"}};
  for (const auto& [words, text] : cases) {
    const auto invocation = parse_command_line(kCommands, words);
    ASSERT_FALSE(invocation) << text;
    EXPECT_TRUE(invocation.error().message.starts_with(text)) << invocation.error().message;
  }
}

TEST(CommandLine, ArgumentsInBracketsMayBeLeftOut) {
  for (const Words& words : {Words{"prefix", "list", "l"}, Words{"prefix", "add", "l", "a"}, Words{"prefix", "add", "l", "a", "b", "c"},
                             Words{"follow"}, Words{"follow", "n1"}}) {
    const auto invocation = parse_command_line(kCommands, words);
    ASSERT_TRUE(invocation) << invocation.error().message;
    EXPECT_EQ(invocation->arguments, Words(words.begin() + 1, words.end()));
  }
}

TEST(PrefixCommand, BecomesARequestAndItsAnswerLines) {
  const auto request = [](const Words& words) {
    const auto made = prefix_request(words);
    return made ? made->dump() : made.error().message;
  };
  EXPECT_EQ(request({"add", "l", "10.0.0.0/8", "::1"}), R"({"action":"add","list":"l","prefixes":["10.0.0.0/8","::1"]})");
  EXPECT_EQ(request({"load", "l", "/etc/../etc/l.txt"}), R"({"action":"load","file":"/etc/l.txt","list":"l"})");
  EXPECT_EQ(request({"list", "l"}), R"({"action":"list","list":"l"})");
  EXPECT_EQ(request({"find", "192.0.2.1"}), R"({"action":"find","address":"192.0.2.1"})");
  EXPECT_EQ(request({"add", "l"}), "prefix add takes LIST PREFIX...");
  EXPECT_EQ(request({"load", "l", "a", "b"}), "prefix load takes LIST FILE");
  EXPECT_EQ(request({"ad", "l"}), "unknown action of prefix \"ad\"; did you mean \"add\"?");
  EXPECT_EQ(request({"remove", "l", "10.0.0.1/8"}),
            "\"10.0.0.1/8\" is no prefix such as 192.0.2.0/24 or 2001:db8::/32, without bits beyond its length");
  const auto report = [](const char* action, const Json& answer) { return prefix_report({{"action", action}, {"list", "l"}}, answer); };
  EXPECT_EQ(report("add", {{"rules", 3}, {"changed", 1}}), "l has 3 prefixes, 1 of them new\n");
  EXPECT_EQ(report("remove", {{"rules", 1}, {"changed", 2}}), "l has 1 prefix, 2 less than before\n");
  EXPECT_EQ(report("load", {{"rules", 0}}), "l has 0 prefixes\n");
  EXPECT_EQ(report("list", {{"prefixes", {"10.0.0.0/8", "::1"}}, {"next", 0}}), "10.0.0.0/8\n::1\n");
  EXPECT_EQ(report("find", {{"rules", Json::array()}}), "no list has a prefix of it\n");
  EXPECT_EQ(report("find", {{"rules", {{{"prefix", "10.0.0.0/8"}, {"list", "l"}}}}}), "PREFIX      LIST\n10.0.0.0/8  l\n");
}

TEST(CommandLine, HelpIsMadeFromTheTable) {
  for (const Words& words : {Words{"--help"}, Words{"help"}, Words{"-h"}}) {
    const auto invocation = parse_command_line(kCommands, words);
    ASSERT_TRUE(invocation) << invocation.error().message;
    EXPECT_TRUE(invocation->wants_help);
    EXPECT_EQ(invocation->command, nullptr);
  }
  for (const char* word : {"status", "explain METHOD URL", "Shows.", "Explains.", "--socket PATH"}) {
    EXPECT_NE(help_text(kCommands).find(word), std::string::npos) << word;
  }
  const auto of_one = parse_command_line(kCommands, {"explain", "--help"});
  ASSERT_TRUE(of_one) << of_one.error().message;
  EXPECT_NE(help_text(*of_one->command).find("-H 'NAME: VALUE'"), std::string::npos);
}

TEST(TextTable, AlignsAndLeavesEmptyColumnsOut) {
  TextTable table;
  table.add_column("NAME");
  table.add_column("N", TextTable::Align::kRight);
  table.add_column("NOTHING");
  table.add_column("WHY");
  table.add_row({"a", "1", "", "tab\there"});
  table.add_row({"long\xc3\xa9", "1000", "", ""});
  EXPECT_EQ(table.text(),
            "NAME      N  WHY\n"
            "a         1  tab here\n"
            "long\xc3\xa9  1000\n");
}

TEST(Report, QuantitiesAreShort) {
  EXPECT_EQ(format_share(1.0 / 3), "33.3 %");
  EXPECT_EQ(format_share(0), "0.0 %");
  const std::pair<double, const char*> bytes[] = {{0, "0 B"},        {1023, "1023 B"},     {1024, "1.0 KiB"},
                                                  {1536, "1.5 KiB"}, {1048575, "1.0 MiB"}, {3e12, "2.7 TiB"}};
  for (const auto& [value, text] : bytes) EXPECT_EQ(format_bytes(value), text) << value;
  const std::pair<double, const char*> rates[] = {{0, "0"}, {3.21, "3.2"}, {9.96, "10"}, {1234.4, "1234"}};
  for (const auto& [value, text] : rates) EXPECT_EQ(format_rate(value), text) << value;
}

Json sample_status() {
  Json status = parse_json(R"({"host": "l4a", "tier": "l4", "version": "0.1.0", "config_digest": 255,
    "vips": [{"name": "web6", "address": "2001:db8::10", "port": 443, "protocol": "tcp", "packets": 100, "bytes": 2048}],
    "ring": {"epoch": 7, "slots": 65537},
    "verdicts": {"forwarded": 12, "too long": 0},
    "nodes": [{"id": 1, "name": "n1", "address": "192.0.2.21", "state": "active", "is_connected": true,
               "is_probe_ok": false, "reason": "no answer", "share": 0.3334, "weight": 100,
               "workers": [{"index": 0, "pid": 11, "restarts": 0, "requests": 50}]}],
    "pools": [{"name": "shop", "backends": [{"address": "203.0.113.129:9001", "is_healthy": false,
               "reason": "status 503", "requests": 9, "node": "n1"}]}]})");
  return status;
}

void expect_lines(const std::string& text, const std::vector<const char*>& lines) {
  for (const char* line : lines) {
    EXPECT_NE(("\n" + text).find("\n" + std::string(line) + "\n"), std::string::npos)
        << line << " is not in\n"
        << text;
  }
}

TEST(Report, StatusShowsEveryPartAsATable) {
  expect_lines(status_report(sample_status()),
               {"L4 host l4a, version 0.1.0, config 00000000000000ff", "ring: epoch 7, slots 65537",
                "web6  [2001:db8::10]:443  tcp           100  2.0 KiB",
                "NODE  ID  ADDRESS     STATE    SHARE  WEIGHT  CONNECTED  PROBE   REASON",
                "n1     1  192.0.2.21  active  33.3 %     100  yes        FAILED  no answer",
                "n1         0   11         0        50",
                "shop  203.0.113.129:9001  n1         FAILED         9  status 503", "forwarded       12"});
}

TEST(Report, StatusShowsWhereBackendsCameFrom) {
  Json status = sample_status();
  status["pools"][0]["discovery"] = {{"source", "dns shop.test:80"}, {"is_ok", false},      {"backends", 1},
                                     {"age_ms", 61'500},             {"next_ms", 500},      {"answers", 7},
                                     {"failures", 2},                {"reason", "SERVFAIL"}};
  expect_lines(status_report(status), {"POOL  FOUND BY          STATE   BACKENDS  AGE S  NEXT S  ANSWERS  FAILURES  REASON",
                                       "shop  dns shop.test:80  FAILED         1     62     0.5        7         2  SERVFAIL"});
}

TEST(Report, StatusShowsRatesBesideAnEarlierOne) {
  const Json earlier = sample_status();
  Json now = earlier;
  now["vips"][0]["packets"] = 300;
  now["vips"][0]["bytes"] = 2048 + 4096;
  now["nodes"][0]["workers"][0]["requests"] = 10;  // a new process counts from zero
  now["nodes"][0]["workers"].push_back({{"index", 1}, {"pid", 12}, {"requests", 5}});
  expect_lines(
      status_report(now, earlier, 2),
      {"VIP   ADDRESS             PROTOCOL  PACKETS/S  BYTES/S",
       "web6  [2001:db8::10]:443  tcp             100  2.0 KiB", "NODE  WORKER  PID  RESTARTS  REQUESTS/S",
       "n1         0   11         0         5.0", "n1         1   12"});
}

TEST(Report, StatusSaysThatACertificateIsNotRenewed) {
  Json status = sample_status();
  status["identity"] = {{"name", "n1"}, {"days_left", 12}, {"problem", ""}};
  EXPECT_EQ(status_report(status), status_report(sample_status()));
  status["identity"]["problem"] = "the certificate of this host is not renewed: l4a: no link";
  EXPECT_NE(status_report(status).find("not renewed: l4a: no link"), std::string::npos);
}

TEST(Report, StatusSumsUpWhatWorkersRefused) {
  Json status = sample_status();
  status["nodes"][0]["workers"][0] = {{"index", 0}, {"refused_clients", 3}, {"refused_headers", 4}, {"relays", 5}, {"paused_listeners", 1}};
  expect_lines(status_report(status), {"NODE  WORKER  RELAYS  REFUSED  PAUSED", "n1         0       5        7       1"});
}

TEST(Report, StatusOfAnyShapeIsShownAsFarAsItGoes) {
  EXPECT_EQ(status_report(Json()), "");
  EXPECT_EQ(status_report(Json::array({1})), "");
  const Json odd = {
      {"host", 5}, {"vips", "none"}, {"nodes", {{{"name", nullptr}, {"share", "all"}, {"workers", 3}}, 7}}};
  expect_lines(status_report(odd), {"5", "SHARE", "  all"});
}

TEST(Report, ExplainSaysWhichRouteAndWhy) {
  const Json result = parse_json(R"({"route": "api", "pool": "api", "status": null,
    "why": [{"route": "shop", "is_match": false, "why": "less specific"}, {"route": "api", "is_match": true, "why": "path"}],
    "backends": [{"address": "203.0.113.129:9003", "is_healthy": true}]})");
  expect_lines(explain_report(result), {"route  api", "pool   api", "shop   no     less specific",
                                        "api    yes    path", "203.0.113.129:9003  ok"});
  const Json none = {{"route", nullptr},
                     {"why", {{{"route", "shop"}, {"is_match", false}, {"why", "host"}}}}};
  expect_lines(explain_report(none), {"404: no route matches", "shop   no     host"});
}

TEST(Report, ExplainOfAPacketListsTheHops) {
  const Json result = parse_json(R"({"vip": "web", "slot": 12, "epoch": 3, "node": "n1", "guard": "dropped: guard_denied, 192.0.2.0/24 of bad",
    "hops": [{"id": 1, "name": "n1", "address": "192.0.2.21"}, {"id": 2, "name": "n2", "address": "192.0.2.23"}]})");
  expect_lines(explain_packet_report(result),
               {"protection  dropped: guard_denied, 192.0.2.0/24 of bad", "vip         web", "slot        12", "node        n1", "owner    1   n1    192.0.2.21",
                "earlier  2   n2    192.0.2.23"});
}

TEST(Report, ReloadSeparatesTheNodesThatRefused) {
  const ReloadReport report =
      reload_report({{"digest", "1f"}, {"nodes", {{"n1", "ok"}, {"n2", "not connected"}}}});
  EXPECT_EQ(report.text, "config 1f is in use\nnode n1: ok\n");
  EXPECT_EQ(report.refused, "node n2: not connected\n");
}

}  // namespace
}  // namespace gatehouse::cli
