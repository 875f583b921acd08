// Real requests of a real client through router, L4 host, tunnel, node, worker and backend.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "common/json_fields.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

using RequestTest = SiteTest;

std::string status_line(const std::string& head) { return head.substr(0, head.find("\r\n")); }

TEST_F(RequestTest, PassBothTiersInBothFamilies) {
  for (const bool is_v6 : {false, true}) {
    const struct {
      const char* url;
      const char* version;
      const char* status;
    } ways[] = {{"https://shop.example/bytes/10", "--http2", "HTTP/2 200 "},
                {"https://shop.example/bytes/10", "--http1.1", "HTTP/1.1 200 OK"},
                {"http://shop.example/bytes/10", "--http1.1", "HTTP/1.1 200 OK"}};
    for (const auto& way : ways) {
      const lab::Output output = site_->curl({"-D-", way.version, way.url}, is_v6);
      EXPECT_EQ(status_line(output.text), way.status) << output.text << output.errors;
      EXPECT_FALSE(field_of(output.text, "X-Request-ID").empty()) << output.text;
      EXPECT_TRUE(field_of(output.text, "Via").starts_with("1.1 n")) << output.text;
      EXPECT_TRUE(field_of(output.text, "X-Backend").starts_with("b")) << output.text;
    }
  }
}

TEST_F(RequestTest, GoWhereHostAndPathSay) {
  const std::pair<const char*, std::set<std::string>> cases[] = {
      {"https://shop.example/healthz", {"b1-9001", "b2-9001", "b2-9002"}},
      {"https://www.shop.example/api/healthz", {"b1-9001", "b2-9001", "b2-9002"}},
      {"https://shop.example/api/healthz", {"b1-9003", "b2-9003"}},
      {"https://shop.example/apix", {"b1-9001", "b2-9001", "b2-9002"}},
      {"https://blog.example/healthz", {"b1-9004", "b2-9004"}}};
  for (const auto& [url, backends] : cases) {
    const lab::Output output = site_->curl({"-D-", url});
    EXPECT_TRUE(backends.contains(field_of(output.text, "X-Backend"))) << url << "\n"
                                                                    << output.text << output.errors;
  }
  const lab::Output unknown = site_->curl({"-D-", "http://unknown.example/"});
  EXPECT_EQ(status_line(unknown.text), "HTTP/1.1 404 Not Found") << unknown.text << unknown.errors;
}

TEST_F(RequestTest, SpeakBothTlsVersionsAndNoneBefore) {
  for (const char* version : {"1.2", "1.3"}) {
    const lab::Output output = site_->curl({"https://shop.example/healthz", std::string("--tlsv") + version, "--tls-max", version});
    EXPECT_EQ(output.text, "ok\n") << version << ": " << output.errors;
  }
  EXPECT_NE(site_->curl({"https://shop.example/healthz", "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"}).exit_code, 0);
}

TEST_F(RequestTest, OfManyClientsReachEveryNodeAndWorker) {
  std::set<std::pair<std::string, int>> places;
  const bool all = lab::wait_until(
      [&] {
        site_->curl({"https://shop.example/healthz"});
        for (const char* node : {"n1", "n2", "n3"}) {
          for (const Json& line : site_->access_log(node))
            places.emplace(line.value("node", ""), line.value("worker", -1));
        }
        return places.size() >= 6;
      },
      std::chrono::seconds(20), std::chrono::milliseconds(0));
  EXPECT_TRUE(all) << places.size();
}

TEST_F(RequestTest, AreInTheAccessLogUnderTheirId) {
  const lab::Output output = site_->curl({"-D-", "https://shop.example/api/bytes/10"});
  const std::string id = field_of(output.text, "X-Request-ID"), via = field_of(output.text, "Via");
  ASSERT_TRUE(via.starts_with("1.1 n")) << output.text << output.errors;
  const std::string node = via.substr(4, 2);
  Json found;
  lab::wait_until(
      [&] {
        for (const Json& line : site_->access_log(node)) {
          if (line.value("request_id", "") == id) found = line;
        }
        return found.is_object();
      },
      std::chrono::seconds(2));
  ASSERT_TRUE(found.is_object()) << id << " is not in the access log of " << node;
  EXPECT_EQ(found.value("route", ""), "api");
  EXPECT_EQ(found.value("pool", ""), "api");
  EXPECT_EQ(found.value("node", ""), node);
  EXPECT_EQ(found.value("path", ""), "/api/bytes/10");
  EXPECT_TRUE(found.value("client", "").starts_with("203.0.113.3")) << found.dump();
}

TEST_F(RequestTest, CarryForwardingFieldsOfOursOnly) {
  const lab::Output output =
      site_->curl({"https://shop.example/echo", "--http1.1", "-H", "X-Forwarded-For: 198.51.100.66", "-H",
                   "X-Forwarded-Proto: gopher", "-H", "Forwarded: for=198.51.100.66", "-H",
                   "X-Request-ID: chosen", "-H", "Connection: X-Hop", "-H", "X-Hop: 1", "-H", "X-Kept: 2"});
  const Json echo = parse_json(output.text);
  ASSERT_TRUE(echo.is_object()) << output.text << output.errors;
  std::multimap<std::string, std::string> fields;
  for (const Json& pair : echo["headers"]) {
    std::string name = pair[0];
    for (char& letter : name) letter = static_cast<char>(std::tolower(letter));
    fields.emplace(name, pair[1]);
  }
  const auto only = [&](const char* name) {
    return fields.count(name) == 1 ? fields.find(name)->second : "?";
  };
  EXPECT_EQ(only("x-forwarded-for"), "203.0.113.3") << output.text;
  EXPECT_EQ(only("x-forwarded-proto"), "https");
  EXPECT_EQ(only("x-forwarded-host"), "shop.example");
  EXPECT_NE(only("forwarded").find("for=203.0.113.3"), std::string::npos) << output.text;
  EXPECT_EQ(only("forwarded").find("198.51.100.66"), std::string::npos);
  EXPECT_NE(only("x-request-id"), "chosen");
  EXPECT_EQ(only("x-kept"), "2");
  EXPECT_EQ(fields.count("x-hop"), 0u);
}

TEST_F(RequestTest, LargeBodiesArriveWholeBothWays) {
  const std::string body = site_->lab().host_folder("client") + "/body";
  std::string bytes(3'000'000, 'x');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  std::ofstream(body, std::ios::binary) << bytes;
  const std::string sum = lab::run({}, {"sha256sum", body}).text.substr(0, 64);
  for (const bool is_v6 : {false, true}) {
    for (const lab::Arguments& framing :
         {lab::Arguments{}, lab::Arguments{"-H", "Transfer-Encoding: chunked"}}) {
      lab::Arguments arguments = {"https://shop.example/upload", "--data-binary", "@" + body};
      arguments.insert(arguments.end(), framing.begin(), framing.end());
      const lab::Output output = site_->curl(arguments, is_v6);
      const Json answer = parse_json(output.text);
      ASSERT_TRUE(answer.is_object()) << output.text << output.errors;
      EXPECT_EQ(answer.value("length", 0u), bytes.size());
      EXPECT_EQ(answer.value("sha256", ""), sum);
    }
    const lab::Output download = site_->curl(
        {"https://shop.example/chunked/3000000", "-o", "/dev/null", "-w", "%{size_download}"}, is_v6);
    EXPECT_EQ(download.text, "3000000") << download.errors;
  }
}

// Kilobytes of memory that belong to this process alone.
long anonymous_memory(pid_t pid) {
  std::ifstream stream("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("RssAnon:")) return std::strtol(line.c_str() + 8, nullptr, 10);
  }
  return 0;
}

TEST_F(RequestTest, AGibibyteThroughAWorkerTakesItLessThanTwoMebibytes) {
  site_->curl({"https://shop.example/bytes/3000000", "-o", "/dev/null"});
  std::map<pid_t, long> before, most;
  for (const char* node : {"n1", "n2", "n3"}) {
    for (const Json& worker : site_->workers(node)) {
      const pid_t pid = worker.value("pid", 0);
      before[pid] = anonymous_memory(pid);
    }
  }
  ASSERT_EQ(before.size(), 6u);
  const std::string common =
      "curl -sS --cacert " + site_->lab().ca_file() + " --resolve shop.example:443:198.51.100.10 ";
  const std::string commands[] = {
      common + "https://shop.example/bytes/1073741824 -o /dev/null -w '%{size_download}'",
      "head -c 1073741824 /dev/zero | " + common + "-T - https://shop.example/upload | jq -j .length"};
  for (const std::string& command : commands) {
    const std::string result = site_->lab().host_folder("client") + "/result";
    std::filesystem::remove(result);
    ASSERT_TRUE(site_->lab().start("client", "bulk", {"sh", "-c", "(" + command + ") > " + result}));
    lab::wait_until(
        [&] {
          for (const auto& [pid, ignored] : before) most[pid] = std::max(most[pid], anonymous_memory(pid));
          return !site_->lab().find("bulk");
        },
        std::chrono::seconds(60), std::chrono::milliseconds(2));
    std::ifstream stream(result);
    std::string size;
    stream >> size;
    EXPECT_EQ(size, "1073741824") << command << "\n" << site_->log("bulk");
  }
#ifdef __SANITIZE_ADDRESS__
  return;  // freed memory stays with the sanitizer: there is nothing to be seen
#endif
  for (const auto& [pid, kilobytes] : before) EXPECT_LT(most[pid] - kilobytes, 2048) << "worker " << pid;
}

}  // namespace
}  // namespace gatehouse::test
