// Rules about shares of a route's pools and about our own cookies: every error with its line and what would
// be right.
#include <gtest/gtest.h>

#include "tests/common/config_findings.h"

namespace gatehouse::config {
namespace {

const std::string kPools =
    "[[pool]]\nname = \"v1\"\nbackends = [\"192.0.2.7:80\"]\n[[pool]]\nname = \"v2\"\nbackends = "
    "[\"192.0.2.8:80\"]\n";

class AffinityConfig : public testing::TestWithParam<Row> {};
TEST_P(AffinityConfig, IsAnsweredWith) {
  EXPECT_EQ(findings_of(kPools + GetParam().toml, "is used by no route"), GetParam().findings) << GetParam().toml;
}

std::string route(const std::string& rest) { return "[[route]]\nname = \"r\"\n" + rest; }  // from line 9
std::string sticky(const std::string& parts) {
  return route("pools = [\"v1\", \"v2\"]\nsticky = { cookie = \"c\", " + parts + " }\n");
}  // line 10

std::string pool(const std::string& rest) {
  return "[[pool]]\nname = \"h\"\nbackends = [\"192.0.2.9:80\"]\n" + rest;
}  // from line 10

const Row kRows[] = {
    {"Good",
     route("pools = [{ name = \"v1\", weight = 9999 }, { name = \"v2\" }]\nsticky = { cookie = "
           "\"gh-canary\", ttl = \"30d\" }\n"),
     "f:10: [[route]].sticky ttl: expected a duration such as \"30s\" or \"250ms\", found \"30d\""},
    {"GoodNames",
     route("pools = [\"v1\", \"v2\"]\nsticky = { cookie = \"__Host-c\", ttl = \"720h\", same_site = "
           "\"none\", secure = \"always\" }\n"),
     ""},
    {"NoName", "[[route]]\npools = [\"v1\"]\n", "f:7: [[route]] without one pool needs a name"},
    {"PoolAndPools", route("pool = \"v1\"\npools = [\"v2\"]\n"),
     "f:7: [[route]] \"r\" has pool and pools: expected exactly one of pool, pools, redirect and response"},
    {"Unknown", route("pools = [\"v1\", \"v3\"]\n"),
     "f:9: [[route]].pools pool \"v3\" does not exist; did you mean \"v1\"?"},
    {"Twice", route("pools = [\"v1\", \"v1\"]\n"), "f:9: [[route]].pools: \"v1\" is there twice"},
    {"Negative", route("pools = [{ name = \"v1\", weight = -1 }]\n"),
     "f:9: [[route]].pools weight: expected a number from 0 to 1000000, found -1"},
    {"NoWeight", route("pools = [{ name = \"v1\", weight = 0 }]\n"),
     "f:9: warning: [[route]] \"r\": every pool has weight 0: requests are answered 503"},
    {"StickyAlone", route("pool = \"v1\"\nsticky = { cookie = \"c\" }\n"),
     "f:10: [[route]] \"r\" has sticky and no pools: expected pools with it"},
    {"MirrorUnknown", route("pool = \"v1\"\nmirror = { pool = \"v3\" }\n"),
     "f:10: [[route]].mirror pool \"v3\" does not exist; did you mean \"v1\"?"},
    {"MirrorAlone", route("response = { status = 200 }\nmirror = { pool = \"v1\" }\n"),
     "f:10: [[route]] \"r\" has mirror and no backend: expected a pool"},
    {"MirrorNone", route("pool = \"v1\"\nmirror = { pool = \"v2\", percent = 0 }\n"),
     "f:10: [[route]].mirror percent: expected a number from 1 to 100, found 0"},
    {"MirrorWithHeader",
     route("pool = \"v1\"\nmirror = { pool = \"h\" }\n") + pool("proxy_protocol = \"v2\"\n"),
     "f:10: [[route]].mirror: connections of pool \"h\" begin with the PROXY header of a client, which copies do not "
     "have"},
    {"CookieName", route("pools = [\"v1\"]\nsticky = { cookie = \"a b\" }\n"),
     "f:10: [[route]].sticky cookie: expected a name of 1 to 64 letters, digits and signs such as "
     "\"gh-canary\", found \"a b\""},
    {"CookiePath", sticky("path = \"/a;b\""),
     "f:10: [[route]].sticky path: expected a path that begins with '/', without ';' and spaces, found "
     "\"/a;b\""},
    {"SameSite", sticky("same_site = \"Lax\""),
     "f:10: [[route]].sticky same_site: expected \"lax\", \"strict\" or \"none\", found \"Lax\""},
    {"Secure", sticky("secure = \"never\""),
     "f:10: [[route]].sticky secure: expected \"auto\" or \"always\", found \"never\""},
    {"NoneInTheClear", sticky("same_site = \"none\""),
     "f:10: [[route]].sticky same_site \"none\": expected secure = \"always\" with it: browsers refuse it "
     "otherwise"},
    {"HostPrefixPath",
     route("pools = [\"v1\"]\nsticky = { cookie = \"__Host-c\", path = \"/a\", secure = \"always\" }\n"),
     "f:10: [[route]].sticky cookie \"__Host-c\": expected path = \"/\" with it"},
    {"GoodPool",
     pool(
         "policy = \"maglev\"\nhash = { cookie = \"sid\", max_load = 125 }\naffinity = { cookie = \"b\" }\n"),
     ""},
    {"Zone", "[[pool]]\nname = \"h\"\nbackends = [\"192.0.2.9:80\", { address = \"192.0.2.8:80\", zone = \"a\" }]\nhealth = { path = \"/\" }\n",
     "f:9: warning: [[pool]] \"h\": no [[node]] is in zone \"a\"; there is none"},
    {"Policy", pool("policy = \"fair\"\n"),
     "f:10: [[pool]] policy: expected \"round-robin\", \"least-request\", \"two-choices\", \"peak-ewma\", \"random\", \"maglev\" or \"ring-hash\", found \"fair\""},
    {"PolicyWithoutHash", pool("policy = \"maglev\"\n"),
     "f:10: [[pool]] policy \"maglev\": expected hash with it"},
    {"HashWithoutPolicy", pool("hash = { path = true }\n"),
     "f:10: [[pool]].hash: expected policy \"maglev\" or \"ring-hash\" with it"},
    {"HashOfNothing", pool("policy = \"ring-hash\"\nhash = {}\n"),
     "f:11: [[pool]].hash has 0 keys: expected exactly one of header, cookie, query, path, client"},
    {"HashOfTwo", pool("policy = \"ring-hash\"\nhash = { path = true, header = \"X\" }\n"),
     "f:11: [[pool]].hash has 2 keys: expected exactly one of header, cookie, query, path, client"},
    {"MaxLoad", pool("policy = \"ring-hash\"\nhash = { path = true, max_load = 100 }\n"),
     "f:11: [[pool]].hash max_load: expected 0, or more than 100 percent, found 100"},
    {"SlowStartOfHash", pool("policy = \"maglev\"\nhash = { path = true }\nslow_start = \"30s\"\n"),
     "f:12: warning: [[pool]] slow_start: requests that are hashed do not wait for it"},
    {"AffinityCookie", pool("affinity = { cookie = \"\" }\n"),
     "f:10: [[pool]].affinity cookie: expected a name of 1 to 64 letters, digits and signs such as "
     "\"gh-canary\", found \"\""},
    {"OnlyBackups", "[[pool]]\nname = \"h\"\nbackends = [{ address = \"192.0.2.9:80\", backup = true }]\n",
     "f:9: [[pool]] \"h\": every backend is a backup"},
    {"EarlierSecretAlone", "[cookies]\nearlier_secret_file = \"x\"\n",
     "f:7: [cookies] earlier_secret_file: expected secret_file with it"},
};
INSTANTIATE_TEST_SUITE_P(Rules, AffinityConfig, testing::ValuesIn(kRows),
                         name_of);

TEST(AffinityConfigValues, AreRead) {
  const Loaded loaded = load_text(
      kPools + route("pools = [{ name = \"v1\", weight = 95 }, \"v2\"]\nsticky = { cookie = \"c\" }\n") +
          "[cookies]\nsecret_file = \"s\"\n",
      "/d/f");
  ASSERT_TRUE(loaded.is_valid()) << loaded.errors();
  const Route& read = loaded.config.routes[0];
  ASSERT_EQ(read.pools.size(), 2u);
  EXPECT_EQ(read.pools[0].weight, 95u);
  EXPECT_EQ(read.pools[1].weight, 1u);
  EXPECT_EQ(read.sticky->ttl, Duration(24 * 3'600'000));
  EXPECT_EQ(loaded.config.cookies.secret_file, "/d/s");
}

}  // namespace
}  // namespace gatehouse::config
