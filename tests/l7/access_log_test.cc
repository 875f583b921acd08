// The access log: every line is one JSON object, whatever bytes a client sends.
#include "l7/access_log.h"
#include "common/json_fields.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

#include "tests/l7/support/log_pipe.h"
#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::l7 {
namespace {

nlohmann::json parsed(std::string_view text) {
  std::string escaped = "\"";
  append_json_text(escaped, text);
  return parse_json(escaped + "\"");
}

using test::LogPipe;

struct Escaped {
  std::string text;
  std::string read_back;
};

const std::string kOdd = "\xef\xbf\xbd";  // U+FFFD

TEST(AccessLogText, ComesBackAsItWasOrAsReplacement) {
  const Escaped cases[] = {
      {"", ""},
      {"plain /path?a=b", "plain /path?a=b"},
      {"\"quoted\" and \\back\\", "\"quoted\" and \\back\\"},
      {std::string("\0\x01\x1f\t\r\n\x7f", 7), std::string("\0\x01\x1f\t\r\n\x7f", 7)},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"\xe2\x82\xac \xf0\x9f\x98\x80", "\xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xff", kOdd},
      {"a\x80z", "a" + kOdd + "z"},
      {"\xc3", kOdd},
      {"\xe2\x82", kOdd + kOdd},
      {"\xc0\xaf", kOdd + kOdd},             // overlong '/'
      {"\xe0\x80\xaf", kOdd + kOdd + kOdd},  // overlong
      {"\xf0\x80\x80\xaf", kOdd + kOdd + kOdd + kOdd},
      {"\xed\xa0\x80", kOdd + kOdd + kOdd},             // a surrogate
      {"\xf4\x90\x80\x80", kOdd + kOdd + kOdd + kOdd},  // beyond U+10FFFF
      {"\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"},
      {"\xc3\"", kOdd + "\""},  // a quote is never part of a sequence
  };
  for (const Escaped& row : cases) EXPECT_EQ(parsed(row.text), nlohmann::json(row.read_back));
}

TEST(AccessLogText, AnyBytesParse) {
  std::mt19937 random(11);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(random() % 12, '\0');
    for (char& byte : text) byte = static_cast<char>(random() % 3 ? random() % 256 : 0xe0 + random() % 32);
    ASSERT_TRUE(parsed(text).is_string());
  }
}

TEST(AccessLogLines, HaveEveryField) {
  EventLoop loop;
  LogPipe pipe;
  RequestIds random;
  AccessLog log(loop, random);
  EXPECT_FALSE(log.is_on());
  log.add({});
  log.set_file(std::move(pipe.writing));
  AccessRecord record;
  record.time = "2026-11-21T01:02:03.004Z";
  record.method = "GET";
  record.path = "/\xff\"";
  record.status = 502;
  record.worker = 3;
  record.bytes = 18446744073709551615u;
  log.add(record);
  record.error = "no answer";
  log.add(record);
  EXPECT_TRUE(pipe.lines().empty()) << "once per turn";
  loop.turn(Duration(0));
  const auto lines = pipe.lines();
  ASSERT_EQ(lines.size(), 2u);
  for (const char* name : {"time", "request_id", "client", "method", "host", "path", "status", "route",
                           "pool", "backend", "node", "worker", "duration_us", "bytes"}) {
    EXPECT_TRUE(lines[0].contains(name)) << name;
  }
  EXPECT_FALSE(lines[0].contains("error"));
  EXPECT_EQ(lines[1]["error"], "no answer");
  EXPECT_EQ(lines[1]["path"], "/" + kOdd + "\"");
  EXPECT_EQ(lines[1]["bytes"], 18446744073709551615u);
  EXPECT_EQ(lines[1]["status"], 502);
}

// A share of what went well, all that did not; each line says for how many it stands.
TEST(AccessLogLines, OfASampleWeighWhatTheyStandFor) {
  EventLoop loop;
  LogPipe pipe;
  RequestIds random;
  AccessLog log(loop, random);
  log.set_file(std::move(pipe.writing));
  log.set_sample(0.25);
  AccessRecord good, bad, unanswered;
  good.status = 200;
  bad.status = 503;
  RelayRecord relay, broken;
  broken.reason = "the backend reset the connection";
  double sum = 0;
  int lines_of_good = 0;
  constexpr int kRounds = 4'000;
  for (int i = 0; i < kRounds; ++i) {
    log.add(good);
    loop.turn(Duration(0));
    for (const auto& line : pipe.lines()) {
      EXPECT_EQ(line["weight"], 4.0);
      sum += line["weight"].get<double>();
      ++lines_of_good;
    }
  }
  // Five standard deviations of 27.
  EXPECT_NEAR(lines_of_good, kRounds / 4, 140);
  EXPECT_NEAR(sum, kRounds, 560);
  for (int i = 0; i < 20; ++i) {
    log.add(bad);
    log.add(unanswered);
    log.add_relay(broken);
  }
  loop.turn(Duration(0));
  const auto errors = pipe.lines();
  EXPECT_EQ(errors.size(), 60u);
  for (const auto& line : errors) EXPECT_EQ(line["weight"], 1.0);
  log.set_sample(0);
  for (int i = 0; i < 100; ++i) {
    log.add(good);
    log.add_relay(relay);
  }
  log.add(bad);
  loop.turn(Duration(0));
  EXPECT_EQ(pipe.lines().size(), 1u);
  log.set_sample(1);
  log.add(good);
  loop.turn(Duration(0));
  const auto all = pipe.lines();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_FALSE(all[0].contains("weight")) << "nothing is left out";
}

TEST(AccessLogLines, TheLastOnesAreWrittenWhenTheLogEnds) {
  EventLoop loop;
  LogPipe pipe;
  {
    RequestIds random;
    AccessLog log(loop, random);
    log.set_file(std::move(pipe.writing));
    log.add({});
  }
  EXPECT_EQ(pipe.lines().size(), 1u);
}

struct Logged {
  std::string request;
  int status;
  std::uint64_t bytes;
  const char* backend_name;
};

TEST(AccessLogOfAWorker, HasALineForEveryExchange) {
  test::LoopbackWorker site;
  site.add_server();
  site.config.routes[0].path_prefix = "/api";
  LogPipe pipe;
  site.worker->set_access_log(std::move(pipe.writing));
  site.apply();
  const std::string backend = to_string(site.config.pools[0].backends[0].address);
  const Logged cases[] = {{test::get("/api/bytes/100?secret=1"), 200, 100, "b1"},
                          {test::get("/api/chunked/5000"), 200, 5'000, "b1"},
                          {test::post("/api/x", "body"), 200, 87, "b1"},
                          {test::get("/other"), 404, 47, ""},
                          {"GET /\r\n\r\n", 400, 64, ""}};
  for (const Logged& row : cases) {
    const test::Reply reply = site.ask(row.request);
    EXPECT_EQ(reply.status, row.status);
    std::vector<nlohmann::json> lines;
    site.until([&] { return !(lines = pipe.lines()).empty(); });
    ASSERT_EQ(lines.size(), 1u) << row.request;
    EXPECT_EQ(lines[0]["status"], row.status);
    EXPECT_EQ(lines[0]["bytes"], reply.body.size());
    EXPECT_EQ(lines[0]["request_id"], reply.field("X-Request-ID"));
    EXPECT_EQ(lines[0]["client"], "127.0.0.1");
    EXPECT_EQ(lines[0]["backend"], *row.backend_name ? backend : "");
    EXPECT_EQ(lines[0]["node"], "n1");
    EXPECT_EQ(lines[0].contains("error"), row.status >= 400);
    EXPECT_EQ(lines[0].dump().find("secret"), std::string::npos) << "no query";
  }
}

TEST(AccessLogOfAWorker, SaysWhyAnExchangeWasCutOff) {
  LogPipe pipe;
  {
    test::LoopbackWorker site;
    site.add_raw_server("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all");
    site.worker->set_access_log(std::move(pipe.writing));
    site.apply();
    const auto leaver = site.connect(), stayer = site.connect();
    leaver->send(test::get("/leaver"));
    stayer->send(test::get("/stayer"));
    ASSERT_TRUE(site.until(
        [&] { return leaver->received().ends_with("all") && stayer->received().ends_with("all"); }));
    leaver->reset();
    std::vector<nlohmann::json> lines;
    site.until([&] { return !(lines = pipe.lines()).empty(); });
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0]["error"], "the client closed the connection");
    EXPECT_EQ(lines[0]["status"], 200);
    EXPECT_EQ(lines[0]["bytes"], 7);
  }
  const auto lines = pipe.lines();
  ASSERT_EQ(lines.size(), 1u) << "the worker's end is an end too";
  EXPECT_EQ(lines[0]["error"], "the worker ended");
  EXPECT_EQ(lines[0]["path"], "/stayer");
}

}  // namespace
}  // namespace gatehouse::l7
