// gatehouse-keeper: a service manager in small. Runs one program, keeps the descriptors that it sends with
// FDSTORE=1, starts it again some time after it has died, and hands them back by LISTEN_FDS. SIGTERM ends
// both.
//   gatehouse-keeper --restart-after MS --hold FILE --pid-file FILE -- PROGRAM ARGUMENT...
// While FILE of --hold is there the program is not started again; its descriptors are kept all the same.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "common/check.h"
#include "common/fd.h"
#include "tests/tools/flags.h"

namespace {

using namespace gatehouse;
using Clock = std::chrono::steady_clock;

constexpr int kHigh = 100;  // where kept descriptors are out of the way of those that a child gets
volatile sig_atomic_t is_ended = 0;

struct Options {
  std::chrono::milliseconds restart_after{100};
  std::string hold_file;
  std::string pid_file;
  char** program = nullptr;
};

// Its own abstract address, and what was sent there.
class Store {
 public:
  Store() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    name_ = "@gatehouse-keeper-" + std::to_string(getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
  }

  int socket() const { return socket_.get(); }

  void receive() {
    char text[4096];
    iovec bytes{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (size < 0) return;
    take(std::string(text, static_cast<std::size_t>(size)), message);
  }

  // In a child that is about to become the program.
  void pass_on() const {
    std::string names;
    int next = 3;
    for (const auto& [name, fd] : kept_) {
      names += (names.empty() ? "" : ":") + name;
      dup2(fd.get(), next++);
    }
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(next - 3).c_str(), 1);
    setenv("LISTEN_FDNAMES", names.c_str(), 1);
  }

 private:
  void take(const std::string& text, const msghdr& message) {
    const std::size_t at = text.find("FDNAME=");
    const std::string name = at == text.npos ? "" : text.substr(at + 7, text.find('\n', at) - at - 7);
    if (text.find("FDSTOREREMOVE=1") != text.npos) kept_.erase(name);
    const cmsghdr* rights = CMSG_FIRSTHDR(&message);
    if (!rights || text.find("FDSTORE=1") == text.npos) return;
    int received = -1;
    std::memcpy(&received, CMSG_DATA(rights), sizeof received);
    const Fd low(received);
    kept_.insert_or_assign(name, Fd(fcntl(low.get(), F_DUPFD_CLOEXEC, kHigh)));
  }

  Fd socket_;
  std::string name_;
  std::map<std::string, Fd> kept_;
};

pid_t start(const Options& options, const Store& store) {
  const pid_t pid = fork();
  GH_CHECK(pid >= 0);
  if (pid == 0) {
    store.pass_on();
    signal(SIGTERM, SIG_DFL);
    execv(options.program[0], options.program);
    _exit(127);
  }
  const std::string beside = options.pid_file + ".new";
  std::ofstream(beside) << pid << "\n";
  rename(beside.c_str(), options.pid_file.c_str());
  return pid;
}

void run(const Options& options) {
  Store store;
  pid_t child = start(options, store);
  Clock::time_point died;
  while (!is_ended) {
    pollfd ready{store.socket(), POLLIN, 0};
    if (poll(&ready, 1, 10) > 0) store.receive();
    if (child > 0 && waitpid(child, nullptr, WNOHANG) == child) {
      child = 0;
      died = Clock::now();
    }
    const bool is_held = access(options.hold_file.c_str(), F_OK) == 0;
    if (child == 0 && !is_held && Clock::now() - died >= options.restart_after) child = start(options, store);
  }
  if (child > 0) kill(child, SIGTERM);
  if (child > 0) waitpid(child, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int own = 1;
  while (own < argc && std::string_view(argv[own]) != "--") ++own;
  options.program = argv + own + 1;
  test::parse_flags(own, argv,
                    {{"--restart-after", "MS", "how long the program stays dead",
                      [&](std::string_view text) {
                        options.restart_after =
                            std::chrono::milliseconds(std::atoi(std::string(text).c_str()));
                        return options.restart_after.count() > 0;
                      }},
                     {"--hold", "FILE", "while it is there the program is not started again",
                      [&](std::string_view text) { return !(options.hold_file = text).empty(); }},
                     {"--pid-file", "FILE", "where the program's pid is written",
                      [&](std::string_view text) { return !(options.pid_file = text).empty(); }}});
  if (own >= argc - 1) {
    std::fprintf(stderr, "gatehouse-keeper: a program is missing, after --\n");
    return 2;
  }
  signal(SIGTERM, [](int) { is_ended = 1; });
  run(options);
  return 0;
}
