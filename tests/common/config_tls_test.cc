// Options of TLS: what the validator says of them, and what `gatehouse check` says of the files that they
// name.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/config/check_certificates.h"
#include "common/config/load.h"
#include "tests/support/authority.h"

namespace gatehouse::config {
namespace {

std::string joined(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) text += (text.empty() ? "" : "\n") + finding.text;
  return text;
}

const std::string kRest =
    "\n[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n[[route]]\npool = \"p\"\n";
std::string listener(const std::string& options) {
  return "[[listener]]\nname = \"web\"\naddresses = [\"127.0.0.1:1\"]\n" + options + kRest;
}
std::string pool(const std::string& options) {
  return "[[pool]]\nname = \"p\"\nbackends = [\"192.0.2.7:80\"]\n" + options + "\n[[route]]\npool = \"p\"\n";
}
const std::string kPair = "certificates = [{chain = \"c\", key = \"k\"}]\n";

TEST(TlsOptions, AreAnsweredWith) {
  const std::pair<std::string, std::string> cases[] = {
      {listener(kPair + "tls = {policy = \"modern\"}"), ""},
      {listener("tls = {policy = \"intermediate\", min_version = \"1.3\", ciphers = \"ECDHE+AESGCM\", "
                "ciphersuites = "
                "\"TLS_AES_128_GCM_SHA256\", groups = \"P-256:X25519\"}"),
       ""},
      {listener("tls = {policy = \"old\"}"),
       "f:4: [[listener]].tls policy: expected \"modern\" or \"intermediate\", found \"old\""},
      {listener("tls = {min_version = \"1.1\"}"),
       "f:4: [[listener]].tls min_version: expected \"1.2\" or \"1.3\", found \"1.1\""},
      {listener("tls = {ciphers = \"NONE-SUCH\"}"),
       "f:4: [[listener]].tls ciphers: expected ciphers of TLS 1.2 such as \"ECDHE+AESGCM\", found "
       "\"NONE-SUCH\""},
      {listener("tls = {ciphersuites = \"RC4\"}"),
       "f:4: [[listener]].tls ciphersuites: expected ciphers of TLS 1.3 such as \"TLS_AES_128_GCM_SHA256\", "
       "found \"RC4\""},
      {listener("tls = {groups = \"P-1\"}"),
       "f:4: [[listener]].tls groups: expected groups such as \"X25519:P-256\", found \"P-1\""},
      {listener(kPair + "client_certificates = \"maybe\""),
       "f:5: [[listener]] client_certificates: expected \"none\", \"request\" or \"require\", found "
       "\"maybe\""},
      {listener(kPair + "client_certificates = \"require\""),
       "f:5: [[listener]] client_certificates: expected client_ca too, the authorities of clients"},
      {listener("client_certificates = \"request\"\nclient_ca = \"a\""),
       "f:4: [[listener]] client_certificates: expected certificates too: clients show theirs in TLS only"},
      {listener(kPair + "client_ca = \"a\""),
       "f:1: warning: [[listener]] client_ca and client_crl have no effect while client_certificates is "
       "\"none\""},
      {listener(kPair + "hsts = \"always\""),
       "f:5: [[listener]] hsts: expected a value such as \"max-age=31536000; includeSubDomains\", found "
       "\"always\""},
      {listener("hsts = \"max-age=1\""),
       "f:4: warning: [[listener]] hsts is sent over TLS only, and \"web\" has no certificates"},
      {pool("tls = {enabled = 1}"), "f:4: [[pool]].tls enabled: expected true or false, found 1"},
      {pool("tls = {enabled = true, ca = \"a\", server_name = \"b.example\", alpn = [\"http/1.1\"]}"), ""},
      {pool("tls = {ca = \"a\"}"), "f:4: warning: [[pool]].tls has no effect: enabled is false"},
      {pool("tls = {enabled = true, certificate = \"a\"}"),
       "f:4: [[pool]].tls: expected certificate and key together"},
      {pool("tls = {enabled = true, min_version = \"2\"}"),
       "f:4: [[pool]].tls min_version: expected \"1.2\" or \"1.3\", found \"2\""},
      {pool("tls = {enabled = true, alpn = [\"\"]}"),
       "f:4: [[pool]].tls alpn: expected protocols such as \"http/1.1\""},
      {pool("tls = {enabled = true, verify = false}"),
       "f:4: warning: [[pool]].tls verify is false: whoever is between here and \"p\" can read and change "
       "requests"},
      {pool("[tls]\nticket_lifetime = \"1s\""),
       "f:5: [tls] ticket_lifetime: expected from 1m to 168h, found \"1s\""}};
  for (const auto& [toml, findings] : cases)
    EXPECT_EQ(joined(load_text(toml, "f").findings), findings) << toml;
}

class CheckedFiles : public testing::Test {
 protected:
  CheckedFiles() { std::filesystem::create_directories(folder_); }
  ~CheckedFiles() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
  }
  void write_pair(const test::Issued& issued) {
    write("c", issued.chain);
    write("k", issued.key);
  }
  // What is said, without the folder.
  std::string findings(const std::string& toml) {
    std::string text = joined(check_certificates(load_text(toml, folder_ + "/f")));
    for (std::size_t at; (at = text.find(folder_ + "/")) != text.npos;) text.erase(at, folder_.size() + 1);
    return text;
  }

  test::Authority authority;

 private:
  const std::string folder_ =
      std::filesystem::temp_directory_path().string() + "/gatehouse-check-" + std::to_string(getpid());
};

TEST_F(CheckedFiles, ThatAreGoodSayNothing) {
  write_pair(authority.issue({"a", "DNS:a.example"}));
  EXPECT_EQ(findings(listener(kPair)), "");
}

TEST_F(CheckedFiles, PairsAreAnsweredWith) {
  const std::string label = "f:4: warning: [[listener]] \"web\": ";
  EXPECT_EQ(findings(listener(kPair)), label + "cannot read c: No such file or directory");
  write_pair(authority.issue({"a", "DNS:a.example", "EC", 13}));
  EXPECT_EQ(findings(listener(kPair)), label + "c expires in 13 days");
  write_pair(authority.issue({"a", "DNS:a.example", "EC", 1}));
  EXPECT_EQ(findings(listener(kPair)), label + "c expires in 1 day");
  write_pair(authority.issue({"a", "DNS:a.example", "EC", -1}));
  EXPECT_EQ(findings(listener(kPair)), label + "c has expired");
  write("k", authority.issue({"b"}).key);
  EXPECT_TRUE(findings(listener(kPair)).starts_with(label + "k: key does not belong to the certificate"))
      << findings(listener(kPair));
  write("c", "no certificate");
  EXPECT_TRUE(findings(listener(kPair)).starts_with(label + "c: certificate chain is not usable"))
      << findings(listener(kPair));
}

TEST_F(CheckedFiles, ACertificateThatNoRouteWantsIsNamed) {
  const auto said = [&](const std::string& names, const std::string& host) {
    write_pair(authority.issue({"a", names}));
    return findings(listener(kPair) + "hosts = [\"" + host + "\"]\n");
  };
  const std::string unwanted =
      "f:4: warning: [[listener]] \"web\": c has no name that is the host of a route";
  EXPECT_EQ(said("DNS:a.example", "a.example"), "");
  EXPECT_EQ(said("DNS:a.example", "A.Example"), "");
  EXPECT_EQ(said("DNS:x.example,DNS:*.a.example", "b.a.example"), "");
  EXPECT_EQ(said("DNS:b.a.example", "*.a.example"), "");
  EXPECT_EQ(said("DNS:*.a.example", "*.a.example"), "");
  EXPECT_EQ(said("DNS:a.example", "b.example"), unwanted);
  EXPECT_EQ(said("DNS:*.a.example", "c.b.a.example"), unwanted);
  EXPECT_EQ(said("DNS:a.example", "*.a.example"), unwanted);
}

TEST_F(CheckedFiles, OfClientsBackendsAndTicketsToo) {
  const test::Issued issued = authority.issue({"a", "DNS:a.example"});
  write_pair(issued);
  write("a", authority.pem());
  const std::string clients = "client_certificates = \"require\"\nclient_ca = \"a\"\nclient_crl = \"l\"\n";
  EXPECT_EQ(findings(listener(kPair + clients)),
            "f:7: warning: [[listener]] client_crl: cannot read l: No such file or directory");
  write("l", authority.revocation_list({}, -1));
  EXPECT_EQ(findings(listener(kPair + clients)),
            "f:7: warning: [[listener]] client_crl: l has expired: clients of its authority are refused");
  write("l", authority.revocation_list({7}));
  EXPECT_EQ(findings(listener(kPair + clients)), "");
  const std::string stapled = "certificates = [{chain = \"c\", key = \"k\", ocsp = \"o\"}]\n";
  write("o", authority.ocsp_response(issued, -1));
  EXPECT_EQ(findings(listener(stapled)),
            "f:4: warning: [[listener]] \"web\": o has expired and is not stapled");
  write("o", authority.ocsp_response(authority.issue({"b"})));
  EXPECT_EQ(findings(listener(stapled)),
            "f:4: warning: [[listener]] \"web\": o: the OCSP response is not about this certificate");
  EXPECT_EQ(findings(pool("tls = {enabled = true, ca = \"none\", certificate = \"c\", key = \"k\"}")),
            "f:4: warning: [[pool]].tls ca: cannot read none: No such file or directory");
  write("s", "short");
  EXPECT_EQ(findings(pool("[tls]\nticket_secret_file = \"s\"")),
            "f:5: warning: [tls] ticket_secret_file: expected 32 bytes or more, found 5");
}

}  // namespace
}  // namespace gatehouse::config
