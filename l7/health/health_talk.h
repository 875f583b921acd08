// What an active check says to a backend on an open connection, and what it makes of the answer. One object
// for each check in flight; what is said to whom and when is HealthCheck's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/address.h"
#include "l7/health/health_plan.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

struct HealthVerdict {
  enum class State : std::uint8_t {
    kUp,
    kDegraded,  // it answers, and asks for what can go elsewhere to go there
    kDown,
  };
  State state = State::kUp;
  std::string reason;  // why it is not kUp

  static HealthVerdict up() { return {}; }
  static HealthVerdict degraded(std::string reason) { return {State::kDegraded, std::move(reason)}; }
  static HealthVerdict down(std::string reason) { return {State::kDown, std::move(reason)}; }
};

class HealthTalk {
 public:
  virtual ~HealthTalk() = default;
  // The connection is open: puts what is asked into the wire's output.
  virtual void begin(Wire& wire) = 0;
  // Reads what has come; nullopt: the answer is not complete. When the connection is over there is always a
  // verdict.
  virtual std::optional<HealthVerdict> hear(Wire& wire) = 0;
};

// By health.kind; HTTP as the pool speaks it.
std::unique_ptr<HealthTalk> make_health_talk(SharedHealthPlan plan, const Endpoint& backend);

// One for each protocol.
std::unique_ptr<HealthTalk> make_http1_talk(SharedHealthPlan plan, const std::string& authority);
std::unique_ptr<HealthTalk> make_http2_talk(SharedHealthPlan plan, const std::string& authority);
std::unique_ptr<HealthTalk> make_grpc_talk(SharedHealthPlan plan, const std::string& authority);
std::unique_ptr<HealthTalk> make_tcp_talk(SharedHealthPlan plan);

// What HTTP of either version answers. The body may still come while it is not `is_whole`: nullopt, then.
std::optional<HealthVerdict> judge_http(const HealthPlan& plan, unsigned status, std::string_view body,
                                        bool is_whole);
inline constexpr std::size_t kMostCheckedBody = 64 * 1024;

}  // namespace gatehouse::l7
