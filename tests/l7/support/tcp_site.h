// A LoopbackWorker whose listener passes connections through: to raw servers whose every byte the test
// decides.
#pragma once

#include <signal.h>

#include "tests/l7/support/log_pipe.h"
#include "tests/l7/support/loopback_worker.h"

namespace gatehouse::test {

class TcpSite : public LoopbackWorker {
 public:
  explicit TcpSite(const std::string& mode = "tcp") {
    config.listeners[0].mode = mode;
    config.listeners[0].pool = "main";
    worker->set_access_log(std::move(log.writing));
    signal(SIGPIPE, SIG_IGN);  // as worker_main does: splice(2) cannot be told not to send it
  }
  ~TcpSite() { worker.reset(); }  // its last lines go to the log

  // The last connection that a backend got, once it has it.
  RawSocket& accepted_by(RawServer& server, std::size_t count = 1) {
    GH_CHECK(until([&] { return server.connections.size() >= count; }));
    return *server.connections[count - 1];
  }
  bool has_come(RawSocket& socket, std::string_view bytes) {
    until([&] { return socket.received().size() >= bytes.size(); });
    EXPECT_EQ(socket.received(), bytes);
    return socket.received() == bytes;
  }
  bool is_over() {
    return until([&] { return board->worker(0).connections.load() == 0; });
  }
  // What the log says of the only connection.
  nlohmann::json line() {
    std::vector<nlohmann::json> lines;
    until([&] {
      for (auto& line : log.lines()) lines.push_back(std::move(line));
      return !lines.empty();
    });
    EXPECT_EQ(lines.size(), 1u);
    return lines.empty() ? nlohmann::json() : lines[0];
  }
  l7::WorkerCell& counters() { return board->worker(0); }

  LogPipe log;
};

inline void ignore(RawSocket&) {}
// Sends back what comes, and its end with the end.
inline void echo(RawSocket& connection) {
  connection.send(connection.received());
  connection.received().clear();
}

}  // namespace gatehouse::test
