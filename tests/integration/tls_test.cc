// TLS as real clients see it: openssl s_client and curl against real processes and files.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "tests/integration/one_host.h"
#include "tests/support/authority.h"

namespace gatehouse::test {
namespace {

const std::string kRequest = "GET /healthz HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";

class TlsHost : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "workers become another user: root is needed";
    host.write("ca.pem", authority.pem(), 0644);
    write_pair("a", authority.issue({"a", "DNS:a.example,DNS:*.b.example"}));
    write_pair("rsa", authority.issue({"rsa", "DNS:a.example", "RSA"}));
    write_pair("c", authority.issue({"c", "DNS:c.example"}));
    host.start_backend(9001);
  }
  void TearDown() override {
    if (HasFailure()) std::printf("--- %s\n", host.log().c_str());
  }
  void write_pair(const std::string& name, const Issued& issued, OneHost* to = nullptr) {
    (to ? to : &host)->write(name + ".pem", issued.chain, 0644);
    (to ? to : &host)->write(name + ".key", issued.key);
  }
  // `listener`: options of the listener, `rest`: further sections.
  static std::string config(const OneHost& host, const std::string& listener = "",
                            const std::string& rest = "", const std::string& pool = "") {
    return "[workers]\ncount = 2\n[access_log]\nfile = \"access.log\"\n" + rest +
           "\n[[listener]]\nname = \"web\"\naddresses = [\"" + host.address() + ":8443\"]\n" +
           (listener.find("certificates = [") == 0 ? "" : kCertificates) + listener +
           "\n[[route]]\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" + host.address() +
           ":9001\"]\n" + pool;
  }
  void start(const std::string& listener = "", const std::string& rest = "", const std::string& pool = "") {
    host.write("site.toml", config(host, listener, rest, pool));
    host.start();
    ASSERT_TRUE(host.wait_until_serving()) << host.log();
  }
  std::string subject(const lab::Arguments& arguments) {
    const std::string text = host.s_client(arguments).text;
    const std::size_t at = text.find("subject=CN = ");
    return at == std::string::npos ? "none" : text.substr(at + 13, text.find('\n', at) - at - 13);
  }
  static bool is_resumed(const lab::Output& output) {
    return output.text.find("Reused, TLSv1") != std::string::npos;
  }
  lab::Output resume(const OneHost& at, const std::string& version) {
    return at.s_client({"-servername", "a.example", version, "-sess_in", host.file("session")}, kRequest);
  }
  void begin_session(const std::string& version) {
    const lab::Output output =
        host.s_client({"-servername", "a.example", version, "-sess_out", host.file("session")}, kRequest);
    ASSERT_NE(output.text.find("200 OK"), std::string::npos) << output.text << output.errors;
    ASSERT_FALSE(is_resumed(output));
  }

  static constexpr const char* kCertificates =
      "certificates = [{chain = \"a.pem\", key = \"a.key\"}, {chain = \"rsa.pem\", key = \"rsa.key\"}, "
      "{chain = \"c.pem\", key = \"c.key\"}]\n";
  Authority authority;
  OneHost host;
};

TEST_F(TlsHost, CertificatesAreChosenByNameAndByWhatTheClientCanVerify) {
  start();
  EXPECT_EQ(subject({"-servername", "a.example"}), "a");
  EXPECT_EQ(subject({"-servername", "a.example", "-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"}), "rsa");
  EXPECT_EQ(subject({"-servername", "a.example", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"}),
            "rsa");
  EXPECT_EQ(subject({"-servername", "a.example", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"}),
            "a");
  EXPECT_EQ(subject({"-servername", "x.b.example"}), "a");
  EXPECT_EQ(subject({"-servername", "c.example"}), "c");
  EXPECT_EQ(subject({"-noservername"}), "a");
  EXPECT_EQ(host.curl("x.b.example", "/healthz").text, "ok\n");
  EXPECT_NE(host.curl("x.y.b.example", "/healthz").exit_code, 0) << "a wildcard is for one label";
}

TEST_F(TlsHost, CertificatesReplacedOnDiskAreTakenWithoutAReload) {
  start();
  write_pair("c", authority.issue({"newer", "DNS:c.example,DNS:d.example"}));
  const auto is_new = [&] { return subject({"-servername", "c.example"}) == "newer"; };
  EXPECT_TRUE(lab::wait_until(is_new, std::chrono::seconds(30), std::chrono::milliseconds(50))) << host.log();
  EXPECT_TRUE(lab::wait_until(
      [&] {
        return subject({"-servername", "d.example"}) == "newer";
      },
      std::chrono::seconds(10)));
  host.write("c.pem", "not a certificate", 0644);
  const auto is_refused = [&] { return host.log().find("the one in use stays") != std::string::npos; };
  EXPECT_TRUE(lab::wait_until(is_refused, std::chrono::seconds(30))) << host.log();
  EXPECT_EQ(subject({"-servername", "c.example"}), "newer");
  EXPECT_NE(host.cli({"reload"}).exit_code, 0) << "a reload says what is wrong";
  EXPECT_EQ(subject({"-servername", "c.example"}), "newer");
}

TEST_F(TlsHost, KeysStayWithTheSupervisor) {
  start();
  const Json workers = host.status()["nodes"][0]["workers"];
  ASSERT_EQ(workers.size(), 2u);
  for (const char* command : {"cat", "head"})
    EXPECT_NE(lab::run({}, {"setpriv", "--reuid", "nobody", "--clear-groups", command, host.file("a.key")})
                  .exit_code,
              0);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(host.file("state"))) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(lab::run({}, {"grep", "-c", "PRIVATE KEY", entry.path()}).text, "0\n") << entry.path();
  }
  for (const Json& worker : workers) {
    const std::string pid = std::to_string(worker.value("pid", 0));
    EXPECT_NE(lab::run({}, {"setpriv", "--reuid", "nobody", "--clear-groups", "ls", "/proc/" + pid + "/fd"})
                  .exit_code,
              0)
        << "what one worker holds is no other process's of that user";
  }
}

TEST_F(TlsHost, SessionsResumeOnEveryWorkerAndAfterRestarts) {
  start();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    begin_session(version);
    std::set<int> workers;
    const auto on_both = [&] {
      EXPECT_TRUE(is_resumed(resume(host, version))) << version;
      for (const Json& line : host.access_log()) workers.insert(line.value("worker", -1));
      return workers.size() == 2;
    };
    EXPECT_TRUE(lab::wait_until(on_both, std::chrono::seconds(30)));
    // The supervisor dies; workers go on, and give the next one what it needs.
    host.kill_supervisor();
    EXPECT_TRUE(is_resumed(resume(host, version)));
    host.start();
    ASSERT_TRUE(lab::wait_until([&] { return host.status().contains("nodes"); }, std::chrono::seconds(20)));
    EXPECT_TRUE(is_resumed(resume(host, version)));
    // Workers that it starts have the same keys, once those of before have handed them over.
    const Json status = host.status();
    const auto has_dialled_in = [this](const Json& worker) {
      const std::string log = host.log(), line = "(pid " + std::to_string(worker.value("pid", 0)) + ") has dialled in";
      return log.find(line) != log.rfind(line);  // to both supervisors
    };
    const auto have_all = [&] {
      const Json& list = status["nodes"][0]["workers"];
      return std::all_of(list.begin(), list.end(), has_dialled_in);
    };
    ASSERT_TRUE(lab::wait_until(have_all, std::chrono::seconds(30)));
    for (const Json& worker : status["nodes"][0]["workers"]) kill(worker.value("pid", 0), SIGKILL);
    ASSERT_TRUE(host.wait_until_serving());
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(is_resumed(resume(host, version))) << version;
  }
}

TEST_F(TlsHost, SessionsResumeOnAnotherNodeWithTheSameSecret) {
  const std::string tickets = "[tls]\nticket_secret_file = \"secret\"\n";
  OneHost other, stranger;
  const std::pair<OneHost*, char> hosts[] = {{&host, 's'}, {&other, 's'}, {&stranger, 'x'}};
  const Issued issued = authority.issue({"a", "DNS:a.example"});
  for (const auto& [each, secret] : hosts) {
    for (const char* name : {"a", "rsa", "c"}) write_pair(name, issued, each);
    each->write("ca.pem", authority.pem(), 0644);
    each->write("secret", std::string(32, secret));
    each->write("site.toml", config(*each, "", tickets));
    each->start_backend(9002);
    each->start();
    ASSERT_TRUE(each->wait_until_serving()) << each->log();
  }
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    begin_session(version);
    EXPECT_TRUE(is_resumed(resume(other, version)));
    EXPECT_FALSE(is_resumed(resume(stranger, version)));
  }
  begin_session("-tls1_3");
  other.stop();
  other.start();
  ASSERT_TRUE(other.wait_until_serving()) << other.log();
  EXPECT_TRUE(is_resumed(resume(other, "-tls1_3"))) << "after a restart of everything";
}

TEST_F(TlsHost, ClientsShowCertificatesAndRevokedOnesAreRefused) {
  const Issued alice = authority.issue({"Alice"}), bob = authority.issue({"Bob"});
  write_pair("alice", alice);
  write_pair("bob", bob);
  host.write("crl.pem", authority.revocation_list({}), 0644);
  start("client_certificates = \"require\"\nclient_ca = \"ca.pem\"\nclient_crl = \"crl.pem\"\n");
  const auto ask_as = [&](const std::string& name) {
    return host.curl("a.example", "/echo",
                     {"--cert", host.file(name + ".pem"), "--key", host.file(name + ".key")});
  };
  for (const char* name : {"alice", "bob"}) {
    const std::string echo = ask_as(name).text;
    EXPECT_NE(echo.find("\"X-Client-Cert-Verified\",\"SUCCESS\""), std::string::npos) << echo;
  }
  EXPECT_NE(host.curl("a.example", "/echo").exit_code, 0);
  host.write("crl.pem", authority.revocation_list({bob.serial}), 0644);
  EXPECT_TRUE(lab::wait_until([&] { return ask_as("bob").exit_code != 0; }, std::chrono::seconds(30),
                              std::chrono::milliseconds(100)));
  EXPECT_EQ(ask_as("alice").exit_code, 0);
  EXPECT_GT(host.status()["handshake_failures"].value("client_certificate", 0), 0);
}

TEST_F(TlsHost, OcspResponsesAreStapledAndKeptFresh) {
  const Issued issued = authority.issue({"a", "DNS:a.example"});
  write_pair("a", issued);
  host.write("a.ocsp", authority.ocsp_response(issued, -1), 0644);
  start("certificates = [{chain = \"a.pem\", key = \"a.key\", ocsp = \"a.ocsp\"}]\n");
  const auto status = [&] { return host.s_client({"-servername", "a.example", "-status"}).text; };
  EXPECT_NE(status().find("OCSP response: no response sent"), std::string::npos) << "it has expired";
  host.write("a.ocsp", authority.ocsp_response(issued, 2), 0644);
  const auto is_stapled = [&] { return status().find("Cert Status: good") != std::string::npos; };
  EXPECT_TRUE(lab::wait_until(is_stapled, std::chrono::seconds(30), std::chrono::milliseconds(100)))
      << status();
}

TEST_F(TlsHost, PoliciesHold) {
  start(
      "tls = {policy = \"modern\", groups = \"P-256\", ciphersuites = "
      "\"TLS_CHACHA20_POLY1305_SHA256\"}\nhsts = \"max-age=60\"\n");
  EXPECT_NE(host.s_client({"-servername", "a.example", "-tls1_2"}).exit_code, 0);
  EXPECT_NE(host.s_client({"-servername", "a.example", "-groups", "X25519"}).exit_code, 0);
  const lab::Output output =
      host.s_client({"-servername", "a.example", "-groups", "X25519:P-256", "-alpn", "http/1.1"}, kRequest);
  EXPECT_NE(output.text.find("TLS_CHACHA20_POLY1305_SHA256"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("ALPN protocol: http/1.1"), std::string::npos) << output.text;
  EXPECT_NE(output.text.find("Strict-Transport-Security: max-age=60"), std::string::npos) << output.text;
}

TEST_F(TlsHost, StatusAndCheckSayWhatExpires) {
  write_pair("c", authority.issue({"c", "DNS:c.example", "EC", 3}));
  start();
  const Json certificates = host.status()["nodes"][0]["certificates"];
  ASSERT_EQ(certificates.size(), 3u);
  EXPECT_EQ(certificates[0].value("days_left", 0), 3);
  EXPECT_EQ(certificates[0].value("name", ""), "c.example");
  EXPECT_EQ(certificates[1].value("days_left", 0), 90);
  EXPECT_NE(host.cli({"status"}).text.find("DAYS LEFT"), std::string::npos);
  const lab::Output check = host.cli({"check", host.file("site.toml")});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_NE(check.errors.find("c.pem expires in 3 days"), std::string::npos) << check.errors;
}

// openssl s_server as a backend.
class TlsBackendHost : public TlsHost {
 protected:
  void start_with(const std::string& tls) {
    write_pair("b", authority.issue({"b", "DNS:b.internal"}));
    host.start_process({"openssl", "s_server", "-accept", host.address() + ":9443", "-cert",
                        host.file("b.pem"), "-key", host.file("b.key"), "-www"},
                       "s_server");
    host.write("other.pem", Authority("other").pem(), 0644);
    std::string text = config(host, "", "",
                              "tls = {enabled = true, " + tls +
                                  "}\nhealth = {path = \"/\", interval = \"200ms\", timeout = \"200ms\"}\n");
    text.replace(text.find(":9001"), 5, ":9443");
    host.write("site.toml", text);
    host.start();
    ASSERT_TRUE(host.wait_until_serving()) << host.log();
  }
  Json backend() { return host.status()["pools"][0]["backends"][0]; }
};

TEST_F(TlsBackendHost, ThatIsGoodServes) {
  start_with("ca = \"ca.pem\", server_name = \"b.internal\"");
  EXPECT_TRUE(lab::wait_until([&] { return backend().value("is_healthy", false); }, std::chrono::seconds(20)))
      << backend();
  EXPECT_NE(host.curl("a.example", "/", {"-D-"}).text.find("200 "), std::string::npos);
}

TEST_F(TlsBackendHost, OfAnotherNameOrAuthorityIsNotTrusted) {
  start_with("ca = \"ca.pem\", server_name = \"c.internal\"");
  const auto reason_has = [&](const std::string& text) {
    return lab::wait_until([&] { return backend().value("reason", "").find(text) != std::string::npos; },
                           std::chrono::seconds(20), std::chrono::milliseconds(50));
  };
  EXPECT_TRUE(reason_has("TLS: certificate of \"c.internal\" refused: hostname mismatch")) << backend();
  EXPECT_NE(host.curl("a.example", "/", {"-D-"}).text.find("503 "), std::string::npos);
  std::string text = config(
      host, "", "",
      "tls = {enabled = true, ca = \"other.pem\", server_name = \"b.internal\"}\nhealth = {path = \"/\"}\n");
  text.replace(text.find(":9001"), 5, ":9443");
  host.write("site.toml", text);
  EXPECT_EQ(host.cli({"reload"}).exit_code, 0);
  EXPECT_TRUE(reason_has("unable to get local issuer certificate")) << backend();
}

}  // namespace
}  // namespace gatehouse::test
