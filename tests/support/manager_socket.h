// The socket of a service manager, for tests of what daemons tell it: bound at a path, named to children by
// NOTIFY_SOCKET.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/fd.h"

namespace gatehouse::test {

class ManagerSocket {
 public:
  explicit ManagerSocket(const std::string& path)
      : path_(path), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    GH_CHECK(path.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    unlink(path.c_str());
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~ManagerSocket() {
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unlink(path_.c_str());
  }

  // The next message with `text` in it; those before it are passed over, but remembered. Empty: none came.
  std::string wait_for(const std::string& text, std::chrono::seconds limit = std::chrono::seconds(60)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < end) {
      pollfd ready{socket_.get(), POLLIN, 0};
      if (poll(&ready, 1, 100) <= 0) continue;
      char buffer[4096];
      const ssize_t length = recv(socket_.get(), buffer, sizeof buffer, 0);
      if (length < 0) continue;
      messages_.emplace_back(buffer, static_cast<std::size_t>(length));
      if (messages_.back().find(text) != std::string::npos) return messages_.back();
    }
    return {};
  }
  const std::vector<std::string>& messages() const { return messages_; }

 private:
  std::string path_;
  Fd socket_;
  std::vector<std::string> messages_;
};

}  // namespace gatehouse::test
