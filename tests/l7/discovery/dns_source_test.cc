// Backends by DNS: what answers, failures and their absence make of a pool. The server is real, and so is the
// time.
#include "l7/discovery/dns_source.h"
#include "common/json_fields.h"

#include <gtest/gtest.h>

#include "tests/support/dns_server.h"
#include "tests/support/turn_until.h"

namespace gatehouse::l7 {
namespace {

using test::DnsServer;

class Dns : public testing::Test {
 protected:
  Dns() {
    options.dns = "api.test:80";
    options.resolvers = {server.address()};
    options.min_interval = options.max_interval = Duration(100);
    options.timeout = Duration(5'000);
    options.missing = 1;
  }
  void begin() {
    source = std::make_unique<DnsSource>(loop, "api", options, [this] { ++changes; });
  }
  template <typename Condition>
  bool until(Condition condition) {
    return test::turn_until(loop, condition);
  }
  // By their last number, weights other than 1 and backups in brackets.
  std::string found() const {
    std::string text;
    for (const config::Backend& backend : source->backends()) {
      const std::string address = to_string(backend.address.address);
      text += (text.empty() ? "" : " ") + address.substr(address.find_last_of(".:") + 1);
      if (backend.weight != 1) text += "*" + std::to_string(backend.weight);
      if (backend.backup) text += "!";
    }
    return text;
  }
  bool becomes(const std::string& expected) {
    const bool has_become = until([&] { return source->has_spoken() && found() == expected; });
    EXPECT_EQ(found(), expected);
    return has_become;
  }
  std::uint64_t report(const char* name) const { return source->report().value(name, std::uint64_t{0}); }
  std::string reason() const { return source->report().value("reason", ""); }
  bool answers_again(std::uint64_t times = 2) {
    const std::uint64_t before = report("answers");
    return until([&] { return report("answers") >= before + times; });
  }
  bool fails_again(std::uint64_t times = 2) {
    const std::uint64_t before = report("failures");
    return until([&] { return report("failures") >= before + times; });
  }

  EventLoop loop;
  DnsServer server{loop};
  config::Discovery options;
  std::unique_ptr<DnsSource> source;
  int changes = 0;
};

TEST_F(Dns, AddressesOfBothFamiliesAreBackends) {
  server.set("api.test", {"192.0.2.7", "192.0.2.8", "2001:db8::9"});
  begin();
  EXPECT_EQ(reason(), "no answer yet");
  ASSERT_TRUE(becomes("7 8 9"));
  EXPECT_EQ(source->backends()[0].address.port, 80);
  EXPECT_EQ(reason(), "");
  EXPECT_EQ(source->report().value("is_ok", false), true);
}

TEST_F(Dns, OnlyTheFamilyThatIsWantedIsAskedFor) {
  server.set("api.test", {"192.0.2.7", "2001:db8::9"});
  options.family = "ipv6";
  begin();
  ASSERT_TRUE(becomes("9"));
  EXPECT_EQ(server.asked(), 1u);
}

TEST_F(Dns, AnotherAnswerIsTakenUpAndAnEqualOneChangesNothing) {
  server.set("api.test", {"192.0.2.7"});
  begin();
  ASSERT_TRUE(becomes("7"));
  ASSERT_TRUE(answers_again());
  EXPECT_EQ(changes, 1);
  server.set("api.test", {"192.0.2.8", "192.0.2.7"});
  ASSERT_TRUE(becomes("7 8"));
  server.set("api.test", {"192.0.2.8"});
  ASSERT_TRUE(becomes("8"));
  EXPECT_EQ(changes, 3);
}

TEST_F(Dns, IsNotAskedAgainBeforeTheTtlIsOver) {
  server.set("api.test", {"192.0.2.7"}, 3'600);
  options.max_interval = Duration(7'200'000);
  options.family = "ipv4";
  begin();
  ASSERT_TRUE(becomes("7"));
  EXPECT_GE(report("next_ms"), 3'590'000u);
  EXPECT_LE(report("next_ms"), 3'960'000u) << "a tenth later at most";
}

TEST_F(Dns, TheTtlIsBoundedByTheOptions) {
  server.set("api.test", {"192.0.2.7"}, 3'600);
  options.max_interval = Duration(20'000);
  begin();
  ASSERT_TRUE(becomes("7"));
  EXPECT_LE(report("next_ms"), 22'000u);
  server.set("api.test", {"192.0.2.7"}, 0);
  options.min_interval = options.max_interval = Duration(10'000);
  begin();
  ASSERT_TRUE(becomes("7"));
  EXPECT_GE(report("next_ms"), 9'000u);
}

TEST_F(Dns, TheLastAnswerStaysWhileDnsFailsHoweverItDoes) {
  server.set("api.test", {"192.0.2.7", "192.0.2.8"});
  begin();
  ASSERT_TRUE(becomes("7 8"));
  options.timeout = Duration(150);
  source->set_options(options);
  const std::pair<DnsServer::Manner, std::string> rows[] = {
      {DnsServer::Manner::kFails, "SERVFAIL"},
      {DnsServer::Manner::kIsSilent, ""},
      {DnsServer::Manner::kTalksNonsense, ""},
  };
  for (const auto& [manner, said] : rows) {
    server.manner = manner;
    ASSERT_TRUE(fails_again());
    EXPECT_EQ(found(), "7 8");
    EXPECT_NE(reason().find("api.test"), std::string::npos) << reason();
    EXPECT_EQ(source->report().value("is_ok", true), false);
  }
  server.manner = DnsServer::Manner::kAnswers;
  server.set("api.test", {"192.0.2.8"});
  ASSERT_TRUE(becomes("8"));
  EXPECT_EQ(reason(), "");
}

TEST_F(Dns, FailuresAreFurtherAndFurtherApart) {
  server.manner = DnsServer::Manner::kFails;
  options.max_interval = Duration(100'000);
  begin();
  ASSERT_TRUE(until([&] { return report("failures") == 4; }));
  EXPECT_GE(report("next_ms"), 700u);
  EXPECT_TRUE(source->has_spoken());
  EXPECT_EQ(found(), "");
}

TEST_F(Dns, ThatThereIsNothingIsBelievedAfterAWhile) {
  server.set("api.test", {"192.0.2.7"});
  options.hold = Duration(1'000);
  begin();
  ASSERT_TRUE(becomes("7"));
  server.manner = DnsServer::Manner::kDeniesAll;
  const auto since = EventLoop::Clock::now();
  ASSERT_TRUE(fails_again());
  EXPECT_EQ(found(), "7");
  EXPECT_EQ(reason(), "api.test: DNS says that there is none");
  ASSERT_TRUE(becomes(""));
  EXPECT_GE(EventLoop::Clock::now() - since, Duration(900));
  EXPECT_EQ(reason(), "api.test: DNS says that there is none");
  server.manner = DnsServer::Manner::kAnswers;
  ASSERT_TRUE(becomes("7"));
}

TEST_F(Dns, ANameWithoutRecordsIsTheSame) {
  server.set("api.test", {"192.0.2.7"});
  options.hold = Duration(0);
  begin();
  ASSERT_TRUE(becomes("7"));
  server.set("api.test", {});
  ASSERT_TRUE(becomes(""));
}

TEST_F(Dns, AFailureOfOneFamilyKeepsItsBackendsAndChangesTheOther) {
  server.set("api.test", {"192.0.2.7", "2001:db8::9"});
  begin();
  ASSERT_TRUE(becomes("7 9"));
  server.fail_type(DnsServer::kAaaa);
  server.set("api.test", {"192.0.2.8"});
  ASSERT_TRUE(becomes("8 9"));
  ASSERT_TRUE(answers_again());
  EXPECT_EQ(found(), "8 9");
  EXPECT_NE(reason().find("api.test AAAA"), std::string::npos) << reason();
  server.fail_type(0);
  ASSERT_TRUE(becomes("8"));
}

TEST_F(Dns, ABackendThatIsMissingFromSomeAnswersStays) {
  options.missing = 4;
  server.set("api.test", {"192.0.2.1", "192.0.2.2"});
  begin();
  ASSERT_TRUE(becomes("1 2"));
  // A server that answers with one half, then the other.
  for (int i = 0; i < 6; ++i) {
    server.set("api.test", i % 2 ? std::vector<std::string>{"192.0.2.1", "192.0.2.2"}
                                 : std::vector<std::string>{"192.0.2.3", "192.0.2.4"});
    ASSERT_TRUE(answers_again(1));
  }
  ASSERT_TRUE(answers_again(1));
  EXPECT_EQ(found(), "1 2 3 4");
  EXPECT_EQ(report("returned"), 0u);
  server.set("api.test", {"192.0.2.1"});
  ASSERT_TRUE(becomes("1")) << "missing from four answers in a row";
}

TEST_F(Dns, OneThatLeavesAndComesBackIsCounted) {
  for (const char* address : {"192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.2"}) {
    server.set("api.test", {address});
    if (!source) begin();
    ASSERT_TRUE(becomes(std::string(1, address[8])));
  }
  EXPECT_EQ(report("returned"), 2u);
}

TEST_F(Dns, SrvRecordsHaveWeightsPortsAndBackups) {
  options.dns.clear();
  options.srv = "_http._tcp.api.test";
  server.set_services(options.srv,
                      {{10, 3, 8080, "a.test"}, {10, 1, 8081, "b.test"}, {20, 5, 8082, "c.test"}});
  server.set("a.test", {"192.0.2.1"});
  server.set("b.test", {"192.0.2.2"});
  server.set("c.test", {"192.0.2.3"});
  begin();
  ASSERT_TRUE(becomes("1*3 2 3*5!"));
  EXPECT_EQ(source->backends()[1].address.port, 8081);
  server.set_services(options.srv, {{10, 2, 8080, "a.test"}, {5, 7, 8082, "c.test"}});
  ASSERT_TRUE(becomes("1*2! 3*7"));
  server.set("a.test", {"192.0.2.4"});
  ASSERT_TRUE(becomes("3*7 4*2!"));
}

TEST_F(Dns, ASrvQuestionThatFailsTakesNobodyAway) {
  options.dns.clear();
  options.srv = "_http._tcp.api.test";
  server.set_services(options.srv, {{0, 1, 80, "a.test"}});
  server.set("a.test", {"192.0.2.1"});
  begin();
  ASSERT_TRUE(becomes("1"));
  server.fail_type(DnsServer::kSrv);
  ASSERT_TRUE(fails_again());
  EXPECT_EQ(found(), "1");
  server.fail_type(DnsServer::kA);
  ASSERT_TRUE(fails_again());
  EXPECT_EQ(found(), "1");
}

TEST_F(Dns, WhatWasFoundIsRememberedByTheNextSupervisor) {
  server.set("api.test", {"192.0.2.7"}, 100);
  options.max_interval = Duration(100'000);
  begin();
  ASSERT_TRUE(becomes("7"));
  const auto memory = source->memory();
  const std::size_t asked = server.asked();
  begin();
  source->remember(memory);
  EXPECT_EQ(found(), "7");
  EXPECT_TRUE(source->has_spoken());
  EXPECT_GT(report("next_ms"), 80'000u) << "the answer holds as long as it did";
  for (int i = 0; i < 10; ++i) loop.turn(Duration(10));
  EXPECT_EQ(server.asked(), asked);
  begin();
  for (const char* bad : {"null", "7", "{}", "{\"backends\": 7}", "{\"backends\": [[\"a\", 1, false]]}",
                          "{\"backends\": [[\"192.0.2.7:80\"]]}"}) {
    source->remember(parse_json(bad));
    EXPECT_FALSE(source->has_spoken()) << bad;
  }
}

TEST_F(Dns, WhatIsRememberedOfLongAgoGivesWayToTheFirstAnswer) {
  options.missing = 9;
  server.set("api.test", {"192.0.2.8"});
  begin();
  source->remember(
      parse_json(R"({"backends": [["192.0.2.7:80", 1, false]], "said_at": 1000, "ask_at": 2000})"));
  EXPECT_EQ(found(), "7");
  ASSERT_TRUE(becomes("8"));
}

TEST_F(Dns, NoDescriptorIsLeftOpen) {
  server.set("api.test", {"192.0.2.7"});
  begin();
  ASSERT_TRUE(becomes("7"));
  const int before = dup(0);
  close(before);
  server.manner = DnsServer::Manner::kFails;
  ASSERT_TRUE(fails_again(5));
  server.manner = DnsServer::Manner::kAnswers;
  ASSERT_TRUE(answers_again(5));
  source.reset();
  const int after = dup(0);
  close(after);
  EXPECT_LE(after, before);
}

}  // namespace
}  // namespace gatehouse::l7
