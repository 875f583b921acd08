// Which protocol a check speaks, and what a status and a body say in all of HTTP.
#include "l7/health/health_talk.h"

#include <algorithm>

namespace gatehouse::l7 {
namespace {

bool is_one_of(const std::vector<std::uint16_t>& codes, unsigned status) {
  return std::find(codes.begin(), codes.end(), status) != codes.end();
}

// Why not; empty: it has what it should.
std::string missing_in(const HealthPlan& plan, std::string_view body) {
  const config::Health& health = plan.health;
  if (body.find(health.body_contains) == std::string_view::npos)
    return "the body does not contain \"" + health.body_contains + "\"";
  const bool fits = !plan.body_matches ||
                    re2::RE2::PartialMatch(re2::StringPiece(body.data(), body.size()), *plan.body_matches);
  return fits ? "" : "the body does not match \"" + health.body_matches + "\"";
}

// Connected is well, unless a part of the answer is asked for.
class TcpTalk final : public HealthTalk {
 public:
  explicit TcpTalk(SharedHealthPlan plan) : plan_(std::move(plan)) {}

  void begin(Wire& wire) override { wire.output().append(plan_->request); }

  std::optional<HealthVerdict> hear(Wire& wire) override {
    const std::string& expect = plan_->expect;
    if (expect.empty()) return HealthVerdict::up();
    while (wire.fill()) {
      answer_ += wire.input().view();
      wire.input().consume(wire.input().size());
      if (answer_.find(expect) != std::string::npos) return HealthVerdict::up();
      if (answer_.size() > kMostCheckedBody) break;
    }
    const bool is_over = wire.is_at_end() || wire.has_failed() || answer_.size() > kMostCheckedBody;
    if (!is_over) return std::nullopt;
    return HealthVerdict::down(answer_.empty() ? "the connection was closed without an answer"
                                               : "the answer does not contain what it should");
  }

 private:
  const SharedHealthPlan plan_;
  std::string answer_;
};

}  // namespace

std::optional<HealthVerdict> judge_http(const HealthPlan& plan, unsigned status, std::string_view body,
                                        bool is_whole) {
  const config::Health& health = plan.health;
  const bool is_degraded = is_one_of(health.degraded_status, status);
  if (!is_degraded && !is_one_of(health.status, status))
    return HealthVerdict::down("status " + std::to_string(status));
  const std::string missing = missing_in(plan, body);
  if (!missing.empty()) return is_whole ? std::optional(HealthVerdict::down(missing)) : std::nullopt;
  return is_degraded ? HealthVerdict::degraded("status " + std::to_string(status)) : HealthVerdict::up();
}

std::unique_ptr<HealthTalk> make_tcp_talk(SharedHealthPlan plan) {
  return std::make_unique<TcpTalk>(std::move(plan));
}

std::unique_ptr<HealthTalk> make_health_talk(SharedHealthPlan plan,
                                             const Endpoint& backend) {
  const config::Health& health = plan->health;
  const std::string authority = health.host.empty() ? to_string(backend) : health.host;
  if (health.kind == "grpc") return make_grpc_talk(std::move(plan), authority);
  if (health.kind != "http") return make_tcp_talk(std::move(plan));
  return plan->speaks_h2 ? make_http2_talk(std::move(plan), authority)
                         : make_http1_talk(std::move(plan), authority);
}

}  // namespace gatehouse::l7
