// Real members of etcd on loopback, for tests: started, killed, started again with what they had on disk.
// Ports are the kernel's choice. They die with the test.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "common/fd.h"
#include "tests/support/authority.h"
#include "tests/support/temporary_folder.h"

namespace gatehouse::etcd {

inline constexpr const char* kEtcd = "/usr/bin/etcd";

class Members {
 public:
  explicit Members(std::size_t count, bool is_tls = false) : is_tls_(is_tls) {
    for (std::size_t i = 0; i < 2 * count; ++i) ports_.push_back(free_port());
    pids_.resize(count);
    if (is_tls) write_keys();
    for (std::size_t i = 0; i < count; ++i) start(i);
  }
  Members(const Members&) = delete;
  ~Members() {
    for (std::size_t i = 0; i < pids_.size(); ++i) kill(i);
  }

  std::string endpoint(std::size_t i) const {
    return std::string(is_tls_ ? "https" : "http") + "://127.0.0.1:" + std::to_string(ports_[2 * i]);
  }
  std::vector<std::string> endpoints() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < pids_.size(); ++i) all.push_back(endpoint(i));
    return all;
  }
  std::string file(const std::string& name) const { return folder_.path() + "/" + name; }

  void start(std::size_t i) {
    const std::string peer = peer_url(i), client = endpoint(i), name = "m" + std::to_string(i);
    std::vector<std::string> words = {kEtcd,      "--name",
                                      name,       "--data-dir",
                                      file(name), "--listen-client-urls",
                                      client,     "--advertise-client-urls",
                                      client,     "--listen-peer-urls",
                                      peer,       "--initial-advertise-peer-urls",
                                      peer,       "--initial-cluster",
                                      cluster(),  "--logger",
                                      "zap",      "--log-level",
                                      "error",    "--heartbeat-interval",
                                      "50",       "--election-timeout",
                                      "500"};
    if (is_tls_) {
      words.insert(words.end(), {"--cert-file", file("member.pem"), "--key-file", file("member.key"),
                                 "--client-cert-auth", "--trusted-ca-file", file("ca.pem")});
    }
    pids_[i] = spawn(words, file(name + ".log"));
  }
  // SIGKILL.
  void kill(std::size_t i) {
    if (pids_[i] == 0) return;
    ::kill(pids_[i], SIGKILL);
    waitpid(std::exchange(pids_[i], 0), nullptr, 0);
  }
  // POST by curl; whether it went well.
  bool post(const std::string& path, const std::string& body) const {
    const std::string tls = is_tls_ ? " --cacert " + file("ca.pem") + " --cert " + file("client.pem") +
                                          " --key " + file("client.key")
                                    : "";
    return std::system(
               ("curl -sf -o /dev/null --max-time 5" + tls + " -d '" + body + "' " + endpoint(0) + path)
                   .c_str()) == 0;
  }

 private:
  std::string peer_url(std::size_t i) const {
    return "http://127.0.0.1:" + std::to_string(ports_[2 * i + 1]);
  }
  std::string cluster() const {
    std::string text;
    for (std::size_t i = 0; i < pids_.size(); ++i)
      text += (i ? ",m" : "m") + std::to_string(i) + "=" + peer_url(i);
    return text;
  }

  static std::uint16_t free_port() {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }

  static pid_t spawn(const std::vector<std::string>& words, const std::string& log) {
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t pid = fork();
    if (pid != 0) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!std::freopen(log.c_str(), "a", stdout) || !std::freopen(log.c_str(), "a", stderr)) _exit(126);
    execv(kEtcd, arguments.data());
    _exit(127);
  }

  void write_keys() const {
    test::Authority authority;
    const auto member = authority.issue({"member", "IP:127.0.0.1"}), client = authority.issue({"client", ""});
    const std::pair<const char*, const std::string*> files[] = {{"ca.pem", &authority.pem()},
                                                                {"member.pem", &member.chain},
                                                                {"member.key", &member.key},
                                                                {"client.pem", &client.chain},
                                                                {"client.key", &client.key}};
    for (const auto& [name, text] : files) std::ofstream(file(name)) << *text;
  }

  test::TemporaryFolder folder_;
  bool is_tls_;
  std::vector<std::uint16_t> ports_;  // of each member: for clients, for the others
  std::vector<pid_t> pids_;
};

}  // namespace gatehouse::etcd
