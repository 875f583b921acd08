// A site whose hosts get their identities from its own authority: one command and one token each, then
// renewed by themselves.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/load.h"
#include "tests/integration/site_test.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLong{30};
constexpr std::chrono::milliseconds kOften{50};

std::string text_of_file(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class JoinTest : public SiteTest {
 protected:
  // l4a has the authority; nothing else runs, and no host but it has a certificate or the config.
  void SetUp() override {
    if (const auto reason = lab::Lab::why_unsupported()) GTEST_SKIP() << *reason;
    const std::string of_lab =
        "certificate = \"tls/control.crt\"\nkey = \"tls/control.key\"\nca = \"tls/ca.crt\"\n";
    config_ = replaced(quickstart_config(), of_lab,
                       "certificate = \"own/identity.pem\"\nca = \"own/ca.pem\"\nauthority = \"authority\"\n");
    auto site = Site::raise(config_);
    ASSERT_TRUE(site) << site.error().message;
    site_ = std::move(*site);
    for (const char* host : {"l4b", "n1", "n2", "n3"}) fs::remove(site_->config_file(host));
    const lab::Output made =
        site_->cli("l4a", {"authority", "init", "--config", site_->config_file("l4a"), "--host", "l4a"});
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    ASSERT_TRUE(site_->start_backends());
    ASSERT_TRUE(site_->start_l4("l4a"));
    ASSERT_TRUE(lab::wait_until([&] { return site_->status("l4a").is_object(); }, kLong, kOften));
  }
  std::string token(const lab::Arguments& more) {
    lab::Arguments words = {"token", "create"};
    words.insert(words.end(), more.begin(), more.end());
    const lab::Output output = site_->cli("l4a", words);
    EXPECT_EQ(output.exit_code, 0) << output.errors;
    return output.text.substr(0, output.text.find('\n'));
  }
  lab::Output join(const std::string& host, const std::string& token, const lab::Arguments& more = {}) {
    lab::Arguments words = {"join",       token,         "--config", site_->config_file(host),
                            "--defaults", defaults(host)};
    words.insert(words.end(), more.begin(), more.end());
    return site_->cli(host, words);
  }
  std::string defaults(const std::string& host) { return site_->lab().host_folder(host) + "/defaults"; }
  fs::path own(const std::string& host) { return site_->lab().host_folder(host) + "/own/identity.pem"; }
  bool has_changed(const std::string& host) {
    return fs::exists(own(host)) || fs::exists(site_->config_file(host));
  }
  bool is_active(const std::string& node) {
    return lab::wait_until(
        [&] {
          const Json a = site_->node("l4a", node), b = site_->node("l4b", node);
          const auto is_in = [](const Json& each) {
            return each.value("state", "") == "active" && each.value("is_connected", false);
          };
          return is_in(a) && is_in(b);
        },
        kLong, kOften);
  }
  void begin_with_two_l4_hosts_and_one_node() {
    const lab::Output l4b = join("l4b", token({"--role", "l4", "--name", "l4b"}));
    ASSERT_EQ(l4b.exit_code, 0) << l4b.errors;
    ASSERT_TRUE(site_->start_l4("l4b"));
    const lab::Output n1 = join("n1", token({"--name", "n1"}));
    ASSERT_EQ(n1.exit_code, 0) << n1.errors;
    ASSERT_TRUE(site_->start_node("n1"));
    ASSERT_TRUE(is_active("n1")) << site_->log("l4a") << site_->log("n1");
  }
  std::string config_;
};

TEST_F(JoinTest, ANodeJoinsByOneCommandUnderLoadAndItsCertificateIsRenewedUnderItsLinks) {
  begin_with_two_l4_hosts_and_one_node();
  Load load(*site_, {.connections = 40, .rate = 200, .new_rate = 20});
  const std::string spent = token({});
  std::ofstream(defaults("n2")) << "# this host\nGATEHOUSE_NODE=\nGATEHOUSE_LOG=info\n";
  const lab::Output joined = join("n2", spent, {"--name", "n2"});
  ASSERT_EQ(joined.exit_code, 0) << joined.errors;
  EXPECT_NE(joined.text.find("systemctl enable --now gatehouse-l7"), std::string::npos) << joined.text;
  EXPECT_EQ(text_of_file(defaults("n2")), "# this host\nGATEHOUSE_NODE=n2\nGATEHOUSE_LOG=info\n");
  EXPECT_EQ(text_of_file(site_->config_file("n2")), config_);
  EXPECT_EQ(fs::status(own("n2")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  ASSERT_TRUE(site_->start_node("n2"));
  ASSERT_TRUE(is_active("n2")) << site_->log("n2");
  EXPECT_TRUE(lab::wait_until(
      [&] {
        return node_of(site_->curl({"-D-", "https://shop.example/healthz"}).text) == "n2";
      },
      kLong, kOften));

  const lab::Output again = join("n3", spent, {"--name", "n3"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_NE(again.errors.find("has been used, by \"n2\""), std::string::npos) << again.errors;
  EXPECT_FALSE(has_changed("n3"));

  // The authority is replaced: all hosts get certificates of the new one, those of before included, and no
  // link ends.
  const std::vector<std::string> hosts = {"l4a", "l4b", "n1", "n2"};
  std::map<std::string, std::string> before;
  for (const std::string& host : hosts) before[host] = text_of_file(own(host));
  const lab::Arguments rotate = {"authority", "rotate", "--config", site_->config_file("l4a")};
  ASSERT_EQ(site_->cli("l4a", rotate).exit_code, 0);
  EXPECT_TRUE(lab::wait_until(
      [&] {
        return std::all_of(hosts.begin(), hosts.end(),
                           [&](const auto& host) { return text_of_file(own(host)) != before[host]; });
      },
      kLong, kOften));
  for (const char* host : {"l4a", "l4b"})
    EXPECT_EQ(site_->log(host).find("link lost"), std::string::npos) << site_->log(host);
  const lab::Arguments finish = {"authority", "finish", "--config", site_->config_file("l4a")};
  ASSERT_EQ(site_->cli("l4a", finish).exit_code, 0);
  // New links are made with what is new.
  ASSERT_TRUE(site_->lab().kill("l4b"));
  ASSERT_TRUE(site_->start_l4("l4b"));
  ASSERT_TRUE(site_->lab().kill("n1"));
  ASSERT_TRUE(site_->start_node("n1"));
  EXPECT_TRUE(is_active("n1")) << site_->log("n1");
  EXPECT_TRUE(is_active("n2")) << site_->log("n2");
  const Json report = load.stop();
  EXPECT_EQ(report["failures"].size(), 0u) << report.dump().substr(0, 2000);
  EXPECT_GT(report.value("requests", 0), 0) << report.dump().substr(0, 500);
}

TEST_F(JoinTest, WhoMayNotJoinIsToldWhyAndChangesNothing) {
  begin_with_two_l4_hosts_and_one_node();
  const std::string any = token({}), l4 = token({"--role", "l4"});
  const std::string pin = any.substr(any.rfind('/') + 1), secret = any.substr(any.size() - 97, 32);
  const struct {
    const char* why;
    std::string token;
    lab::Arguments more;
    std::string refusal;
  } rows[] = {
      {"no name", any, {}, "say with --name which this host is"},
      {"a name that is there", any, {"--name", "n1"}, "\"n1\" is there, with a link to this host"},
      {"a name that is nowhere", any, {"--name", "n9"}, "there is no [[node]] \"n9\""},
      {"a node as L4 host", l4, {"--name", "n2"}, "there is no [[l4_host]] \"n2\""},
      {"a wrong secret",
       replaced(any, secret, std::string(32, '0')),
       {"--name", "n2"},
       "knows no such token"},
      {"a wrong pin",
       replaced(any, pin, std::string(64, '0')),
       {"--name", "n2"},
       "does not show the authority that the token names"},
      {"another L4 host",
       any,
       {"--name", "n2", "--address", "192.0.2.13:6082"},
       "its certificate is that of \"l4b\""},
      {"nobody there", any, {"--name", "n2", "--address", "192.0.2.11:6999"}, "Connection refused"},
      {"half a token", any.substr(0, any.size() - 1), {"--name", "n2"}, "no token to join with"},
  };
  for (const auto& row : rows) {
    SCOPED_TRACE(row.why);
    const lab::Output output = join("n2", row.token, row.more);
    EXPECT_NE(output.exit_code, 0);
    EXPECT_NE(output.errors.find(row.refusal), std::string::npos) << output.errors;
    EXPECT_FALSE(has_changed("n2"));
  }
  const lab::Output elsewhere = site_->cli("l4b", {"token", "create"});
  EXPECT_EQ(elsewhere.exit_code, 1);
  EXPECT_NE(elsewhere.errors.find("this host has no authority"), std::string::npos) << elsewhere.errors;
  const lab::Output events = site_->cli("l4a", {"events", "--kind", "identity"});
  EXPECT_NE(events.text.find("may not join"), std::string::npos) << events.text << events.errors;
  // None of that has spent it.
  const lab::Output joined = join("n2", any, {"--name", "n2"});
  EXPECT_EQ(joined.exit_code, 0) << joined.errors;
  ASSERT_TRUE(site_->start_node("n2"));
  ASSERT_TRUE(is_active("n2")) << site_->log("n2");
}

TEST_F(JoinTest, ANodeThatTheConfigHasNoMoreIsRefusedWithAGoodCertificate) {
  begin_with_two_l4_hosts_and_one_node();
  const std::string n1 = "[[node]]\nid = 1\nname = \"n1\"\naddress = \"192.0.2.21\"\ninterface = \"e0\"\n";
  site_->write_config(replaced(config_, n1, ""), "l4a");
  const lab::Output reloaded = site_->cli("l4a", {"reload"});
  EXPECT_EQ(reloaded.exit_code, 0) << reloaded.text << reloaded.errors;
  const std::string refusal = "no [[node]] with id 1 and name \"n1\" in this host's config";
  EXPECT_TRUE(
      lab::wait_until([&] { return site_->log("n1").find(refusal) != std::string::npos; }, kLong, kOften))
      << site_->log("n1");
  EXPECT_TRUE(site_->node("l4b", "n1").value("is_connected", false)) << "there it is one still";
}

}  // namespace
}  // namespace gatehouse::test
