// TCP, passthrough and PROXY headers between the product's own daemon and others' programs: HAProxy as sender
// and receiver of headers, curl and OpenSSL as clients. On loopback, without a lab.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/integration/site.h"
#include "tests/l7/support/raw_socket.h"
#include "tests/lab/certificates.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::test {
namespace {

namespace fs = std::filesystem;

std::string free_address() {
  Endpoint address;
  listen_on_loopback(address);
  return to_string(address);
}

bool accepts(const std::string& address) {
  sockaddr_storage storage;
  const socklen_t length = to_sockaddr(*Endpoint::parse(address), storage);
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(socket.get(), reinterpret_cast<const sockaddr*>(&storage), length) == 0;
}

class TcpTest : public testing::Test {
 protected:
  void SetUp() override {
    if (lab::run({}, {"sh", "-c", "command -v haproxy curl openssl"}).exit_code != 0)
      GTEST_SKIP() << "needs haproxy, curl and openssl";
    fs::permissions(folder, fs::perms(0755));
    const lab::CertificateAuthority authority("tcp test");
    ASSERT_TRUE(authority.write_certificate(folder + "/ca.pem"));
    for (const char* host : {"a.example", "b.example"}) {
      const std::string chain = folder + "/" + host + ".pem", key = chain + ".key";
      ASSERT_TRUE(authority.issue(host, {host}, {}, {chain, key}));  // ".key": where HAProxy looks for it
    }
  }
  void TearDown() override {
    for (const auto& [name, process] : processes_) {
      if (process.is_alive()) kill(process.pid, SIGTERM);
    }
    for (const auto& [name, process] : processes_) {
      lab::wait_until([&] { return !process.is_alive(); }, std::chrono::seconds(10));
      lab::kill_and_wait(process);
      if (HasFailure()) std::printf("--- %s\n%s", name.c_str(), read(name + ".log").c_str());
    }
  }

  std::string read(const std::string& file) const {
    std::ifstream stream(folder + "/" + file);
    return std::string((std::istreambuf_iterator<char>(stream)), {});
  }
  void start(const std::string& name, const lab::Arguments& argv, const std::vector<std::string>& addresses) {
    const auto process = lab::start({}, argv, folder + "/" + name + ".log");
    ASSERT_TRUE(process) << process.error().message;
    processes_.emplace_back(name, *process);
    for (const std::string& address : addresses) {
      ASSERT_TRUE(lab::wait_until([&] { return accepts(address); }, std::chrono::seconds(20)))
          << name << "\n"
          << read(name + ".log");
    }
  }
  void start_gatehouse(const std::string& config, const std::vector<std::string>& addresses) {
    std::ofstream(folder + "/site.toml") << "[workers]\ncount = 1\n[access_log]\nfile = \"access.log\"\n"
                                         << config;
    fs::create_directories(folder + "/state");
    start("gatehouse-l7",
          {binary("gatehouse-l7"), "--config", folder + "/site.toml", "--state-dir", folder + "/state"},
          addresses);
  }
  void start_haproxy(const std::string& name, const std::string& sections,
                     const std::vector<std::string>& addresses) {
    std::ofstream(folder + "/" + name + ".cfg")
        << "defaults\n  timeout client 30s\n  timeout server 30s\n  timeout connect 5s\n"
        << sections;
    start(name, {"haproxy", "-db", "-f", folder + "/" + name + ".cfg"}, addresses);
  }
  void stop(const std::string& name) {
    for (const auto& [known, process] : processes_) {
      if (known == name) lab::kill_and_wait(process);
    }
  }
  lab::Output curl(lab::Arguments arguments) const {
    arguments.insert(arguments.begin(), {"curl", "-sS", "--max-time", "30", "--cacert", folder + "/ca.pem"});
    return lab::run({}, arguments);
  }
  // curl to `host`, which is at `address`.
  lab::Output curl_tls(const std::string& host, const std::string& address) const {
    const std::string port = address.substr(address.find(':') + 1);
    return curl({"--resolve", host + ":" + port + ":127.0.0.1", "https://" + host + ":" + port + "/"});
  }
  // A frontend of HAProxy that answers with what it knows of the connection.
  static std::string teller(const std::string& name, const std::string& bind) {
    return "frontend " + name + "\n  mode http\n  bind " + bind +
           "\n  http-request return status 200 content-type text/plain lf-string \"" + name +
           " %[src] %[dst_port] %[fc_pp_authority]\"\n";
  }

  const TemporaryFolder temporary_;
  const std::string folder = temporary_.path();

 private:
  std::vector<std::pair<std::string, lab::ProcessId>> processes_;
};

TEST_F(TcpTest, HeadersOfCurlAndHaproxyAreBelieved) {
  const std::string plain = free_address(), v1 = free_address(), v2 = free_address(), web = free_address(),
                    backend = free_address();
  start("backend", {binary("gatehouse-backend"), "--listen", backend}, {backend});
  start_gatehouse("[[listener]]\nname = \"web\"\naddresses = [\"" + web +
                      "\"]\nproxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]\n[[route]]\npool = "
                      "\"p\"\n[[pool]]\nname = \"p\"\n"
                      "backends = [\"" +
                      backend + "\"]\n",
                  {web});
  const std::string headers[] = {"send-proxy", "send-proxy-v2",
                                 "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority,ssl,ssl-cipher"};
  std::string sections;
  std::vector<std::string> addresses;
  for (const std::string& option : headers) {
    const std::string name = "p" + std::to_string(addresses.size());
    addresses.push_back(free_address());
    sections += "listen " + name + "\n  mode tcp\n  bind " + addresses.back() + "\n  server g " + web +
                " source 127.0.0.5 " + option + "\n";
  }
  start_haproxy("haproxy", sections, addresses);
  for (const std::string& address : addresses) {
    const lab::Output output = curl({"--interface", "127.0.0.9", "http://" + address + "/echo"});
    EXPECT_NE(output.text.find("127.0.0.9"), std::string::npos) << output.text << output.errors;
    EXPECT_EQ(output.text.find("127.0.0.5"), std::string::npos) << "that is HAProxy itself: " << output.text;
  }
  EXPECT_EQ(curl({"--haproxy-protocol", "http://" + web + "/healthz"}).text, "ok\n");
  EXPECT_NE(curl({"http://" + web + "/healthz"}).exit_code, 0) << "without a header";
}

TEST_F(TcpTest, HaproxyBelievesOurs) {
  std::string config, sections;
  std::vector<std::string> ours, theirs;
  for (const std::string version : {"v1", "v2"}) {
    for (const std::string mode : {"tcp", "http"}) {
      const std::string name = mode + version;
      ours.push_back(free_address());
      theirs.push_back(free_address());
      config += "[[listener]]\nname = \"" + name + "\"\naddresses = [\"" + ours.back() + "\"]\nmode = \"" +
                mode + "\"\n" +
                (mode == "tcp" ? "pool = \"" + name + "\"\n"
                               : "[[route]]\nhosts = [\"" + name + ".example\"]\npool = \"" + name + "\"\n") +
                "[[pool]]\nname = \"" + name + "\"\nbackends = [\"" + theirs.back() +
                "\"]\nproxy_protocol = \"" + version +
                "\"\nhealth = { path = \"/\", interval = \"100ms\", timeout = \"100ms\" }\n";
      sections += teller(name, theirs.back() + " accept-proxy");
    }
  }
  start_haproxy("haproxy", sections, theirs);
  start_gatehouse(config, ours);
  std::size_t place = 0;
  for (const std::string name : {"tcpv1", "httpv1", "tcpv2", "httpv2"}) {
    const std::string& address = ours[place++];
    const std::string port = address.substr(address.find(':') + 1);
    const lab::Output output =
        curl({"--interface", "127.0.0.9", "-H", "Host: " + name + ".example", "http://" + address + "/"});
    EXPECT_EQ(output.text, name + " 127.0.0.9 " + port + " ") << output.errors;
  }
}

TEST_F(TcpTest, TlsGoesThroughToItsServerUntouched) {
  const std::string front = free_address(), a = free_address(), b = free_address(), dead = free_address();
  const auto tls = [this](const std::string& host) { return " ssl crt " + folder + "/" + host + ".pem"; };
  start_haproxy("one", teller("a.example", a + " accept-proxy" + tls("a.example")), {a});
  start_haproxy("two", teller("b.example", b + tls("b.example")), {b});
  start_gatehouse("[[listener]]\nname = \"tls\"\naddresses = [\"" + front +
                      "\"]\nmode = \"tls-passthrough\"\n"
                      "[[tls_route]]\nhosts = [\"a.example\"]\npool = \"one\"\n[[tls_route]]\nhosts = "
                      "[\"*.example\"]\npool = \"two\"\n"
                      "[[pool]]\nname = \"one\"\nbackends = [\"" +
                      a +
                      "\"]\nproxy_protocol = \"v2\"\n"
                      "[[pool]]\nname = \"two\"\nbackends = [\"" +
                      dead + "\", \"" + b + "\"]\n",
                  {front});
  const std::string port = front.substr(front.find(':') + 1), port_b = b.substr(b.find(':') + 1);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(curl_tls("a.example", front).text, "a.example 127.0.0.1 " + port + " a.example");
    EXPECT_EQ(curl_tls("b.example", front).text, "b.example 127.0.0.1 " + port_b + " ");
  }
  const lab::Output unknown = curl_tls("nobody.test", front);
  EXPECT_NE(unknown.exit_code, 0);
  EXPECT_NE(unknown.errors.find("unrecognized name"), std::string::npos) << unknown.errors;
  stop("two");
  EXPECT_NE(curl_tls("b.example", front).exit_code, 0);
  EXPECT_EQ(curl_tls("a.example", front).exit_code, 0) << "nobody else notices";
  EXPECT_NE(read("access.log").find("\"server_name\":\"a.example\""), std::string::npos);
}

TEST_F(TcpTest, MebibytesThroughARealWorkerNeedNoMemory) {
  const std::string front = free_address(), backend = free_address();
  start("backend", {binary("gatehouse-backend"), "--listen", backend}, {backend});
  start_gatehouse("[[listener]]\nname = \"t\"\naddresses = [\"" + front +
                      "\"]\nmode = \"tcp\"\npool = \"p\"\n[[pool]]\nname = \"p\"\nbackends = [\"" + backend +
                      "\"]\n",
                  {front});
  const lab::Output worker =
      lab::run({}, {"sh", "-c", "pgrep -f 'worker 0 --state-dir " + folder + "' | head -1"});
  const auto resident_kib = [&] {
    std::ifstream stream("/proc/" + std::to_string(std::stoi(worker.text)) + "/status");
    for (std::string line; std::getline(stream, line);) {
      if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    }
    return 0L;
  };
  EXPECT_EQ(curl({"-o", "/dev/null", "http://" + front + "/bytes/1000"}).exit_code, 0);
  const long before = resident_kib();
  ASSERT_GT(before, 0);
  const lab::Output output =
      curl({"-o", "/dev/null", "-w", "%{size_download}", "http://" + front + "/bytes/104857600"});
  EXPECT_EQ(output.text, "104857600") << output.errors;
  EXPECT_LT(resident_kib(), before + 4096);
}

}  // namespace
}  // namespace gatehouse::test
