// What is said over control channels: there and back, and every field that is missing or wrong by its name.
#include "common/control/messages.h"
#include "common/json_fields.h"

#include <gtest/gtest.h>

#include <limits>

namespace gatehouse::control {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kMost64 = ~0ull;

Hello hello() {
  return {kProtocolVersion, 4095, "n1", IpAddress::parse("2001:db8::21").value(), "0.1.0", kMost64, 64};
}

WorkerReport worker() { return {3, 12345, 1, 2, 3, kMost64, 5, {{"relays", 6}, {"refused_clients", kMost64}}, 6, 7, 8}; }
BackendReport backend() {
  return {"shop", Endpoint::parse("[2001:db8::1]:80").value(), false, "no \"answer\"", 1, 2, kMost64, true, 3, {{"latency", 2}}, 10'000, "draining", true, "a"};
}
NodeReport report() { return {4095, true, kMost64, 7, {}, {worker(), WorkerReport{}}, {backend()}, {{"web", "/c", "a.example", -3}}}; }

TEST(Messages, HelloComesBackAsItWas) {
  const auto back = hello_from_json(parse_json(to_json(hello()).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->protocol, kProtocolVersion);
  EXPECT_EQ(back->node, 4095);
  EXPECT_EQ(back->name, "n1");
  EXPECT_EQ(back->address, hello().address);
  EXPECT_EQ(back->version, "0.1.0");
  EXPECT_EQ(back->config_digest, kMost64);
  EXPECT_EQ(back->workers, 64u);
}

versions::VersionState standing() {
  return {versions::make_version(7, "seven").id, versions::make_version(8, "eight").id, "l4b", "no room"};
}

TEST(Messages, WhereAHostStandsGoesWithHelloAndReportAndIsNotMissed) {
  EXPECT_FALSE(hello_from_json(to_json(hello()))->versions);
  Hello with = hello();
  with.versions = standing();
  const auto back = hello_from_json(parse_json(to_json(with).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back->versions), to_json(standing()));
  NodeReport reported = report();
  reported.versions = standing();
  EXPECT_EQ(to_json(*node_report_from_json(to_json(reported))->versions), to_json(standing()));
  Json wrong = to_json(with);
  wrong["versions"]["committed"]["digest"] = "abc";
  const auto refused = hello_from_json(wrong);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("hello: version: expected a number"), std::string::npos) << refused.error().message;
}

TEST(Messages, AnL4HostSaysWhoItIsAndWhereItStands) {
  const HostHello said{kProtocolVersion, "l4a", "0.1.0", standing()};
  const auto back = host_hello_from_json(parse_json(to_json(said).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(said));
  for (const char* field : {"protocol", "name", "version", "versions"}) {
    Json json = to_json(said);
    json.erase(field);
    EXPECT_FALSE(host_hello_from_json(json)) << field;
  }
}

TEST(Messages, ReportComesBackAsItWas) {
  const auto back = node_report_from_json(parse_json(to_json(report()).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->node, 4095);
  EXPECT_TRUE(back->is_draining);
  EXPECT_EQ(back->config_digest, kMost64);
  EXPECT_EQ(back->connections, 7u);
  ASSERT_EQ(back->workers.size(), 2u);
  EXPECT_EQ(back->workers[0].index, 3u);
  EXPECT_EQ(back->workers[0].pid, 12345);
  EXPECT_EQ(back->workers[0].restarts, 1u);
  EXPECT_EQ(back->workers[0].connections, 2u);
  EXPECT_EQ(back->workers[0].accepted, 3u);
  EXPECT_EQ(back->workers[0].requests, kMost64);
  EXPECT_EQ(back->workers[0].responses_5xx, 5u);
  EXPECT_EQ(back->workers[0].counts, (std::map<std::string, std::uint64_t>{{"refused_clients", kMost64}, {"relays", 6}}));
  EXPECT_EQ(back->workers[0].handshakes, 6u);
  EXPECT_EQ(back->workers[0].resumed, 7u);
  EXPECT_EQ(back->workers[0].handshakes_failed, 8u);
  ASSERT_EQ(back->certificates.size(), 1u);
  EXPECT_EQ(back->certificates[0].listener, "web");
  EXPECT_EQ(back->certificates[0].file, "/c");
  EXPECT_EQ(back->certificates[0].name, "a.example");
  EXPECT_EQ(back->certificates[0].days_left, -3);
  ASSERT_EQ(back->backends.size(), 1u);
  EXPECT_EQ(back->backends[0].pool, "shop");
  EXPECT_EQ(back->backends[0].address, backend().address);
  EXPECT_FALSE(back->backends[0].is_healthy);
  EXPECT_EQ(back->backends[0].reason, "no \"answer\"");
  EXPECT_EQ(back->backends[0].requests, 1u);
  EXPECT_EQ(back->backends[0].failures, 2u);
  EXPECT_EQ(back->backends[0].in_flight, kMost64);
  EXPECT_EQ(back->backends[0].weight, 10'000u);
  EXPECT_EQ(back->backends[0].state, "draining");
  EXPECT_TRUE(back->backends[0].is_backup);
  EXPECT_EQ(back->backends[0].zone, "a");
  EXPECT_EQ(back->backends[0].ejected_for, backend().ejected_for);
}

TEST(Messages, ABackendOfAnEarlierVersionIsEnabled) {
  Json json = to_json(report());
  for (const char* name : {"weight", "state", "is_backup", "zone", "ejected_for"}) json["backends"][0].erase(name);
  const auto back = node_report_from_json(json);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->backends[0].state, "enabled");
}

TEST(Messages, AReportMaySayHowBusyTheNodeIs) {
  EXPECT_FALSE(node_report_from_json(to_json(report()))->cpu_use);
  NodeReport busy = report();
  busy.cpu_use = 730;
  EXPECT_EQ(node_report_from_json(parse_json(to_json(busy).dump()))->cpu_use, 730u);
  Json json = to_json(report());
  for (const Json& wrong : {Json("730"), Json(-1), Json(7.5), Json(nullptr), Json(1ull << 32)}) {
    json["cpu_use"] = wrong;
    EXPECT_FALSE(node_report_from_json(json)) << wrong;
  }
}

TEST(Messages, WeightsComeBackAsTheyWere) {
  const Weights weights{"l4a", kMost64, {{1, 250}, {4095, 1'000'000}}};
  const auto back = weights_from_json(parse_json(to_json(weights).dump()));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->from, "l4a");
  EXPECT_EQ(back->version, kMost64);
  EXPECT_EQ(back->factors, weights.factors);
}

TEST(Messages, WeightsOfAnyOtherFormAreRefused) {
  const Json good = to_json(Weights{"l4a", 1, {{1, 250}}});
  ASSERT_TRUE(weights_from_json(good));
  for (const char* field : {"from", "version", "factors"}) {
    Json json = good;
    json.erase(field);
    EXPECT_FALSE(weights_from_json(json)) << field;
    json[field] = Json::array();
    EXPECT_FALSE(weights_from_json(json)) << field;
  }
  for (const auto& [node, factor] : std::map<std::string, Json>{
           {"", 5}, {"0", 5}, {"65536", 5}, {"-1", 5}, {"x", 5}, {"1x", 5}, {" 1", 5}, {"2", 0}, {"3", -5}, {"4", 1.5}, {"5", "5"}, {"6", 1'000'001}}) {
    Json json = good;
    json["factors"][node] = factor;
    EXPECT_FALSE(weights_from_json(json)) << node << ": " << factor;
  }
  EXPECT_FALSE(weights_from_json(Json::array()));
  EXPECT_FALSE(weights_from_json(nullptr));
}

TEST(Messages, UnknownFieldsAreLeftAside) {
  Json json = to_json(hello());
  json["later"] = {1, 2};
  EXPECT_TRUE(hello_from_json(json));
}

// Where a field stands, what it must be, and values that it must not have.
struct Field {
  const char* place;
  std::string error;
  std::vector<Json> wrong;
};

std::string up_to(std::uint64_t most) { return "expected a number up to " + std::to_string(most); }
const std::vector<Json> kNotNumbers = {"1", 1.5, true, nullptr, Json::array(), -1};
std::vector<Json> not_numbers_and(Json larger) {
  std::vector<Json> wrong = kNotNumbers;
  wrong.push_back(std::move(larger));
  return wrong;
}
const std::vector<Json> kNotTexts = {1, true, nullptr, Json::array()};
const std::vector<Json> kNotLists = {1, "[]", nullptr, Json::object()};
const std::vector<Json> kNotFlags = {0, 1, "true", nullptr};

// `from_json` refuses `whole` without each field, and with each wrong value in it.
template <typename Parse>
void expect_refusals(const Json& whole, const std::vector<Field>& fields, Parse from_json) {
  ASSERT_TRUE(from_json(whole)) << from_json(whole).error().message;
  for (const Field& field : fields) {
    const Json::json_pointer place(field.place);
    Json without = whole;
    without[place.parent_pointer()].erase(place.back());
    const auto missing = from_json(without);
    ASSERT_FALSE(missing) << field.place;
    EXPECT_EQ(missing.error().message, field.error) << "missing";
    for (const Json& value : field.wrong) {
      Json changed = whole;
      changed[place] = value;
      const auto wrong = from_json(changed);
      ASSERT_FALSE(wrong) << field.place << " = " << value;
      EXPECT_EQ(wrong.error().message, field.error) << value;
    }
  }
}

TEST(Messages, HelloNamesTheFieldThatIsMissingOrWrong) {
  const std::vector<Field> fields = {
      {"/protocol",
       "hello.protocol: " + up_to(0x7fffffff),
       {"1", 1.5, true, nullptr, 0x80000000, -0x80000001ll}},
      {"/node", "hello.node: " + up_to(65535), not_numbers_and(65536)},
      {"/name", "hello.name: expected a text", kNotTexts},
      {"/version", "hello.version: expected a text", kNotTexts},
      {"/config_digest", "hello.config_digest: " + up_to(kMost64), not_numbers_and(1e30)},
      {"/workers", "hello.workers: " + up_to(0xffffffff), not_numbers_and(0x100000000)},
  };
  expect_refusals(to_json(hello()), fields, hello_from_json);
}

TEST(Messages, HelloNeedsAnAddress) {
  Json json = to_json(hello());
  for (const char* address : {"", "n1", "192.0.2.1:80"}) {
    json["address"] = address;
    EXPECT_EQ(hello_from_json(json).error().message, "hello.address: expected an IP address") << address;
  }
  json["address"] = 7;
  EXPECT_EQ(hello_from_json(json).error().message, "hello.address: expected a text");
}

TEST(Messages, ReportNamesTheFieldThatIsMissingOrWrong) {
  const std::vector<Field> fields = {
      {"/node", "health.node: " + up_to(65535), not_numbers_and(65536)},
      {"/is_draining", "health.is_draining: expected true or false", kNotFlags},
      {"/config_digest", "health.config_digest: " + up_to(kMost64), kNotNumbers},
      {"/connections", "health.connections: " + up_to(kMost64), kNotNumbers},
      {"/workers", "health.workers: expected a list", kNotLists},
      {"/backends", "health.backends: expected a list", kNotLists},
      {"/workers/1/index", "worker.index: " + up_to(0xffffffff), not_numbers_and(0x100000000)},
      {"/workers/0/pid", "worker.pid: " + up_to(0x7fffffff), {"1", 1.5, nullptr, 0x80000000}},
      {"/workers/0/restarts", "worker.restarts: " + up_to(kMost64), kNotNumbers},
      {"/workers/0/connections", "worker.connections: " + up_to(kMost64), kNotNumbers},
      {"/workers/0/accepted", "worker.accepted: " + up_to(kMost64), kNotNumbers},
      {"/workers/0/requests", "worker.requests: " + up_to(kMost64), kNotNumbers},
      {"/workers/0/responses_5xx", "worker.responses_5xx: " + up_to(kMost64), kNotNumbers},
      {"/backends/0/pool", "backend.pool: expected a text", kNotTexts},
      {"/backends/0/is_healthy", "backend.is_healthy: expected true or false", kNotFlags},
      {"/backends/0/reason", "backend.reason: expected a text", kNotTexts},
      {"/backends/0/requests", "backend.requests: " + up_to(kMost64), kNotNumbers},
      {"/backends/0/failures", "backend.failures: " + up_to(kMost64), kNotNumbers},
      {"/backends/0/in_flight", "backend.in_flight: " + up_to(kMost64), kNotNumbers},
  };
  expect_refusals(to_json(report()), fields, node_report_from_json);
}

TEST(Messages, CountsMayBeMissingAndMustBeNumbers) {
  Json json = to_json(report());
  json["workers"][0].erase("counts");
  ASSERT_TRUE(node_report_from_json(json));
  EXPECT_TRUE(node_report_from_json(json)->workers[0].counts.empty());
  for (const Json& wrong : {Json("relays"), Json(1), Json::array({1}), Json{{"relays", -1}}, Json{{"relays", "1"}}}) {
    json["workers"][0]["counts"] = wrong;
    EXPECT_EQ(node_report_from_json(json).error().message, "worker.counts: expected numbers by name") << wrong;
  }
}

TEST(Messages, EntriesOfListsAreCheckedToo) {
  Json json = to_json(report());
  json["workers"] = {1};
  EXPECT_EQ(node_report_from_json(json).error().message, "worker: expected an object");
  json = to_json(report());
  json["backends"][0]["address"] = "2001:db8::1";
  EXPECT_EQ(node_report_from_json(json).error().message, "backend.address: expected address:port");
}

TEST(Messages, OnlyObjectsAreMessages) {
  for (const Json& json : {Json(), Json(1), Json("x"), Json::array()}) {
    EXPECT_EQ(hello_from_json(json).error().message, "hello: expected an object");
    EXPECT_EQ(node_report_from_json(json).error().message, "health: expected an object");
  }
}

// Hosts are upgraded one after another, in either direction.
TEST(Messages, OfProtocolVersionsOneBackAndOneForwardAreTaken) {
  for (const int version : {kProtocolVersion - 1, kProtocolVersion, kProtocolVersion + 1}) EXPECT_TRUE(check_protocol(version)) << version;
  EXPECT_EQ(check_protocol(kProtocolVersion + 2).error().message,
            "it speaks version 3 of the control protocol, this host version 1, and one back or forward: upgrade this host first");
  EXPECT_EQ(check_protocol(kProtocolVersion - 2).error().message,
            "it speaks version -1 of the control protocol, this host version 1, and one back or forward: upgrade that host first");
  EXPECT_FALSE(check_protocol(std::numeric_limits<int>::max()));
}

// What a later version has added does not keep an earlier one from understanding the rest.
TEST(Messages, FieldsThatNobodyKnowsAreLeftOut) {
  Json json = to_json(hello());
  json["protocol"] = kProtocolVersion + 1;
  json["moons"] = {{"io", 1}};
  EXPECT_EQ(hello_from_json(json)->protocol, kProtocolVersion + 1);
  json = to_json(report());
  json["moons"] = 7;
  json["workers"][0]["moons"] = 7;
  EXPECT_TRUE(node_report_from_json(json));
}

TEST(Messages, TheFirstErrorIsTheOneReported) {
  Json json = to_json(report());
  json["node"] = "x";
  json["backends"] = 7;
  EXPECT_EQ(node_report_from_json(json).error().message, "health.node: " + up_to(65535));
}

}  // namespace
}  // namespace gatehouse::control
