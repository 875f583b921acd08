// A check of a backend that says what a test wants.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "common/check.h"
#include "l7/health/health_check.h"
#include "l7/proxy_protocol.h"
#include "tests/l7/support/loopback_worker.h"
#include "tests/l7/support/raw_socket.h"
#include "tests/support/turn_until.h"

namespace gatehouse::l7 {

class Check : public testing::Test {
 protected:
  Check() {
    health.path = "/healthz";
    health.interval = Duration(20);
    health.timeout = Duration(5'000);
  }
  void start(const Endpoint& backend, Duration offset = Duration(0)) {
    const auto plan = HealthPlan::make(pool, {}, keys);
    GH_CHECK(plan.has_value());
    check = std::make_unique<HealthCheck>(loop, buffers, *plan, backend, offset,
                                          HealthCheck::Told{[this] { ++changes; }, {}});
  }
  // A backend whose n-th answer is answers[n], the last one for ever.
  void start(std::vector<std::string> answers) {
    server = std::make_unique<test::RawServer>(loop, [this, answers](test::RawSocket& connection) {
      requests.push_back(std::exchange(connection.received(), {}));
      connection.send(answers[std::min(asked++, answers.size() - 1)]);
      connection.end_output();
    });
    start(server->address());
  }
  // What the first check says: "" is well.
  std::string verdict() {
    EXPECT_TRUE(until([&] { return check->is_decided(); }));
    EXPECT_EQ(check->is_healthy() && !check->is_degraded(), check->reason().empty()) << check->reason();
    return check->reason();
  }
  template <typename Condition>
  bool until(Condition condition) {
    return test::turn_until(loop, condition);
  }
  bool until_asked(std::size_t times) {
    return until([&] { return asked >= times; });
  }

  EventLoop loop;
  BufferPool buffers;
  PrivateKeyReader keys;
  config::Pool pool;
  config::Health& health = pool.health;
  std::unique_ptr<test::RawServer> server;
  std::unique_ptr<HealthCheck> check;
  std::vector<std::string> requests;
  std::size_t asked = 0;
  int changes = 0;
};

inline const std::string kGood = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
inline const std::string kBad = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";

}  // namespace gatehouse::l7
