// One request with its response, from the parsed head to the last byte and the log line. A table of steps (exchange.cc)
// that runs until a step has to wait; every event of either side runs it again. It borrows a ClientSide, leases a
// BackendSide, and always finishes: answered, or aborted with a reason. Pooled: WorkerContext::exchanges.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "l7/backend/backend_side.h"
#include "l7/backend/pool.h"
#include "l7/backend/waiting_line.h"
#include "l7/client_side.h"
#include "l7/deadline.h"
#include "l7/request_id.h"
#include "l7/route_terms.h"
#include "l7/runtime.h"

namespace gatehouse::l7 {

class Mirror;
struct ShedReason;

class Exchange final : public BackendUser {
 public:
  enum class Outcome : std::uint8_t {
    kWait,   // run again at the next event
    kDone,   // the whole response is in the client's output
    kAbort,  // the response cannot be completed: the client must see it break
  };

  explicit Exchange(WorkerContext& context);
  ~Exchange();

  // `context.request` holds the head, of `length` bytes; it is consumed.
  Outcome start(ClientSide& client, std::size_t length);
  Outcome run();
  // An answer to bytes that are no request.
  void refuse(ClientSide& client, std::uint16_t status, std::string_view why);
  // The client is gone, or kept us waiting. Logs.
  void abort(std::string_view why);

  bool is_active() const { return step_ != kIdle; }
  void on_backend_event() override { client_->on_backend_event(); }
  void on_turn_in_queue();

 private:
  enum Step : std::uint8_t { kMatchRoute, kQueue, kChooseBackend, kLease, kConnect, kSend, kRelay, kPause, kAnswer, kFinish, kIdle };
  enum class Next : std::uint8_t { kGo, kWait, kDone, kAbort };
  struct StepEntry;
  static const StepEntry kSteps[];

  // The steps.
  Next match_route();
  Next queue();
  Next choose_backend();
  Next lease();
  Next connect();
  Next send();
  Next relay();
  Next pause();
  Next send_text();
  Next finish();

  Outcome run_steps();
  void begin(ClientSide& client);
  void remember_request();
  void look_for_grpc();
  RouteAsk asked();
  CountryCode find_country() const;
  RouteFacts facts() const;
  RouteFacts request_facts() const;
  Next write_backend_head();
  void begin_mirror(Pool& pool, const http::Forwarding& forwarding, std::size_t length);
  void drop_mirror();
  void mirror_body(const http::BodyPiece& piece);
  bool choose_pool(const RoutePlan& plan);
  std::uint64_t find_place(const OwnCookie& cookie, Arms& arms);
  void find_bound(const OwnCookie& cookie);
  std::optional<std::uint64_t> hash_by(const config::Hash& hash) const;
  IpAddress true_client_address() const;
  TlsFacts tls_facts() const;
  Backend* choose();
  const http::FieldEdits* response_edits() const;
  std::size_t rewrite(const RoutePlan& plan, http::Forwarding& forwarding);
  Next go(Step step) {
    step_ = step;
    return Next::kGo;
  }
  Next answer(std::uint16_t status, std::string_view why, std::string_view detail = {});
  Next answer_by_route(const RoutePlan& plan);
  Next answer_in_panic(const config::PanicAnswer& own);
  Next send_answer(std::string_view text, std::size_t fields);
  Next begin_answer(std::string_view text, std::size_t fields);
  Next answer_grpc(std::uint16_t status, std::string_view why);
  Next break_off(std::string_view why);

  // When there is no place for it: queue_step.cc.
  const ShedReason* enter_pool();
  Next wait_for_place(const ShedReason& reason, std::string_view why);
  Next shed(const ShedReason& reason, std::string_view why);
  void leave_queue();
  void leave_pool();
  void end_asking();
  void wake_queue();
  void on_answered();

  // What becomes of a try that failed: retry.cc. From kLost on the backend may have seen the request.
  enum class Fault : std::uint8_t { kUnconnected, kTurnedAway, kRefused, kLost, kTimeout, kStatus };
  void prepare_retries();
  Duration connect_patience();
  Next after_slow_connect();
  Next after_failed_connect(std::uint16_t status, std::string_view why);
  Next after_lost_backend();
  Next after_timeout();
  Next after_expiry();
  bool is_answer_tried_again();
  bool find_retry(Fault fault);
  bool pays_for_retry();
  Next retry();
  void rewind_request();
  void keep_body(const http::BodyPiece& piece);
  void forget_body();
  void expect_answer();
  bool resend_body();
  void end_waiting();
  void mark_tried(Backend* backend);

  // A second copy, while there is no answer: hedge_step.cc.
  struct Hedge {
    BackendSide* side = nullptr;  // leased; nullptr: there is none
    Backend* backend = nullptr;
    std::size_t sent = 0;         // of kept_body_
    bool is_begun = false;        // its head has been sent
    bool is_asking = false;       // Pool::counts_asking()
    EventLoop::Clock::time_point asked{};
  };
  void plan_hedge();
  void begin_hedge();
  bool run_hedge();
  void send_hedge_body();
  bool fail_hedge();
  void drop_hedge();
  void leave_pool_for_hedge();
  Next promote_hedge();

  // Parts of relay(): each returns whether bytes moved; a decision is left in decision_.
  bool relay_request();
  bool relay_response();
  bool receive_head();
  bool forward_interim(std::size_t length);
  bool start_response(std::size_t length);
  bool start_tunnel(std::size_t length);
  void decide(Next next) {
    decision_ = next;
    is_decided_ = true;
  }
  void decide_failure(std::string_view why);
  void wait_at_most(Duration limit);
  bool is_expired() const;
  RouteTerms terms() const;  // once there is a pool
  void set_wait_limit();
  Next end_tunnel();
  void on_backend_down();
  Next end_with_backend();
  std::uint64_t duration_us() const;
  void on_deadline();
  http::ResponseStyle style() const;
  std::string_view hsts() const;
  std::string_view request_id() const { return request_id_.empty() ? own_id_.view() : std::string_view(request_id_); }
  void release_backend(bool is_complete);
  void end();
  void write_log(std::uint64_t duration);
  void count_answer(std::uint64_t duration);

  WorkerContext& context_;
  ClientSide* client_ = nullptr;
  Step step_ = kIdle;
  Next decision_ = Next::kGo;
  bool is_decided_ = false;
  bool is_running_ = false;
  bool is_event_missed_ = false;

  std::shared_ptr<const Runtime> runtime_;  // what it began with
  const Runtime::Listener* listener_ = nullptr;
  std::size_t route_ = Router::kNoRoute;
  std::size_t match_ = 0;  // of the route
  CountryCode country_;    // of the client
  Pool* pool_ = nullptr;
  std::uint64_t place_ = 0;   // of the client, among the pools of its route
  bool sets_sticky_ = false;  // the client is to keep it
  Backend* bound_ = nullptr;   // the client's, as its cookie says
  bool is_bound_known_ = false;  // it said one, if it is a member or not
  bool keeps_bound_ = false;   // that only has no room now
  bool has_moved_ = false;     // it got another
  bool is_affinity_due_ = false;  // it gets a new cookie anyway
  std::optional<std::uint64_t> hash_;
  BackendSide* backend_ = nullptr;  // leased
  LongStay stay_;                   // with it
  Hedge hedge_;
  bool is_hedged_ = false;          // it has, or had one
  Backend* chosen_ = nullptr;
  Backend* next_ = nullptr;    // of a retry that has been decided
  std::array<Backend*, config::kMostAttempts> tried_{};
  BackendHolds holds_;         // of all these
  std::size_t tried_count_ = 0;
  std::uint32_t attempts_ = 0;
  std::uint32_t most_attempts_ = 1;
  bool must_connect_ = false;  // a kept connection was lost under the request: take a new one
  bool has_entered_ = false;   // the pool, see Pool::enter()
  bool is_asking_ = false;     // Pool::counts_asking()
  std::uint64_t queued_ms_ = 0;
  QueueTicket ticket_;         // in front of the pool
  bool is_waiting_ = false;    // Pool::begin_waiting()
  bool tells_attempts_ = true;  // a proxy before us that retries has told its own
  bool is_repeatable_ = false;  // idempotent, or has a key
  bool keeps_body_ = false;     // in kept_body_, while another try is possible
  bool is_body_kept_ = true;    // all that was read of it
  bool is_body_read_ = true;    // to its end
  Buffer kept_body_;
  std::unique_ptr<Mirror> mirror_;  // until the request is whole
  std::size_t sent_again_ = 0;  // of kept_body_, to this backend
  EventLoop::Clock::time_point pause_ends_{};
  EventLoop::Clock::time_point connect_expires_{};
  EventLoop::Clock::time_point hedge_at_{};  // the clock's largest: never
  EventLoop::Clock::time_point asked_{};        // when the backend had the whole request; the clock's largest: it has not
  EventLoop::Clock::time_point try_expires_{};  // the clock's largest: not yet, or never

  std::size_t head_length_ = 0;
  http::RequestHead head_;
  http::Framing request_framing_ = http::Framing::kNone;
  std::uint64_t request_bytes_ = 0;
  std::uint64_t response_bytes_ = 0;
  std::uint16_t status_ = 0;
  bool is_request_done_ = true;
  bool is_response_begun_ = false;  // its head is in the client's output
  bool is_response_done_ = false;
  bool is_head_request_ = false;
  bool is_upgrade_ = false;         // asked for
  bool is_tunnel_ = false;          // and granted
  bool is_grpc_ = false;

  bool is_logged_ = false;  // from the beginning: what the line needs has been kept
  RequestId own_id_;
  std::string request_id_;  // only when it is the client's own
  std::string websocket_key_;  // ours, for a client that has none (HTTP/2)
  std::string_view reason_;    // of our refusal, in a word
  std::string_view unsent_answer_;  // of the route's own text
  std::string method_, host_, path_, error_;  // for the log
  EventLoop::Clock::time_point started_{};
  EventLoop::Clock::time_point expires_{};  // by grpc-timeout; the clock's largest: never
  Deadline<Exchange, &Exchange::on_deadline> deadline_;
};

}  // namespace gatehouse::l7
