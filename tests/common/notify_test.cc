// The service manager's side of notify(): what arrives at NOTIFY_SOCKET, and what comes back by LISTEN_FDS
// after a restart.
#include "common/notify.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "common/inherited.h"

namespace gatehouse {
namespace {

// A manager's socket, and the environment that names it.
class Manager {
 public:
  explicit Manager(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() { unsetenv("NOTIFY_SOCKET"); }

  // Its text; the first descriptor that came with it is in `descriptor`.
  std::string receive(Fd* descriptor = nullptr) {
    char text[512];
    iovec bytes{text, sizeof text};
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
    if (const cmsghdr* rights = CMSG_FIRSTHDR(&message); rights && descriptor) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(rights), sizeof fd);
      *descriptor = Fd(fd);
    }
    return std::string(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  }

 private:
  Fd socket_;
};

TEST(Notify, SendsItsLinesToASocketByPathOrAbstractName) {
  const std::string name = "gatehouse-notify-" + std::to_string(getpid());
  const std::string path = std::filesystem::temp_directory_path() / name;
  for (const std::string& socket : {path, "@" + name}) {
    Manager manager(socket);
    EXPECT_TRUE(notify("READY=1\nSTATUS=serves"));
    EXPECT_EQ(manager.receive(), "READY=1\nSTATUS=serves");
  }
  std::filesystem::remove(path);
}

TEST(Notify, HandsDescriptorsOver) {
  Manager manager("@gatehouse-notify-fd-" + std::to_string(getpid()));
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_CLOEXEC), 0);
  const Fd read_end(pipe_fds[0]);
  Fd write_end(pipe_fds[1]);
  ASSERT_TRUE(notify("FDSTORE=1\nFDNAME=gh-vip0", {write_end.get()}));
  write_end.reset();
  Fd kept;
  EXPECT_EQ(manager.receive(&kept), "FDSTORE=1\nFDNAME=gh-vip0");
  ASSERT_TRUE(kept.is_open());
  ASSERT_EQ(::write(kept.get(), "x", 1), 1);
  char letter = 0;
  EXPECT_EQ(::read(read_end.get(), &letter, 1), 1);
}

TEST(Notify, SaysNothingWhereNobodyListens) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_FALSE(notify("READY=1"));
  setenv("NOTIFY_SOCKET", "/nowhere/notify", 1);
  EXPECT_FALSE(notify("READY=1"));
  unsetenv("NOTIFY_SOCKET");
}

// In a child, whose descriptors from 3 on are its own: its exit code tells.
template <typename Task>
int in_child(Task task) {
  const pid_t pid = fork();
  if (pid == 0) {
    int pipe_fds[2];
    if (pipe(pipe_fds) != 0) _exit(99);
    dup2(pipe_fds[0], 200);
    dup2(pipe_fds[1], 201);
    dup2(200, 3);
    dup2(201, 4);
    _exit(task());
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void pass(const std::string& pid, const char* count, const char* names) {
  setenv("LISTEN_PID", pid.c_str(), 1);
  setenv("LISTEN_FDS", count, 1);
  setenv("LISTEN_FDNAMES", names, 1);
}

TEST(Inherited, DescriptorsComeByTheirNames) {
  EXPECT_EQ(in_child([] {
              pass(std::to_string(getpid()), "2", "gh-vip0:gh-dns");
              const auto descriptors = take_inherited_descriptors();
              if (descriptors.size() != 2 || !descriptors.contains("gh-vip0")) return 1;
              if (descriptors.at("gh-vip0").get() != 3 || descriptors.at("gh-dns").get() != 4) return 2;
              if (fcntl(3, F_GETFD) != FD_CLOEXEC) return 3;
              return getenv("LISTEN_FDS") || getenv("LISTEN_PID") ? 4 : 0;
            }),
            0);
}

TEST(Inherited, NamelessOnesAreUnknownAndMissingOnesAreLeftOut) {
  EXPECT_EQ(in_child([] {
              pass(std::to_string(getpid()), "500", "");
              close_range(5, 199, 0);
              close_range(202, ~0u, 0);
              const auto descriptors = take_inherited_descriptors();
              return descriptors.size() == 1 && descriptors.contains("unknown") ? 0 : 1;
            }),
            0);
}

TEST(Inherited, ThoseOfAnotherProcessAndNonsenseAreNotTaken) {
  for (const auto& [pid, count] :
       {std::pair("1", "2"), {"", "2"}, {"self", "-1"}, {"self", "2x"}, {"self", "99999999999"}}) {
    EXPECT_EQ(in_child([pid = std::string(pid), count = count] {
                pass(pid == "self" ? std::to_string(getpid()) : pid, count, "a:b");
                if (!take_inherited_descriptors().empty()) return 1;
                return fcntl(3, F_GETFD) < 0 ? 2 : 0;
              }),
              0);
  }
}

}  // namespace
}  // namespace gatehouse
