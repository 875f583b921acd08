// The steps of an exchange, in the order of the table. How bodies are relayed is in relay.cc, how it ends in answer.cc.
#include "l7/exchange.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/http/grpc.h"
#include "l7/http/h1_writer.h"
#include "l7/http/h2_head.h"
#include "l7/http/websocket.h"
#include "l7/mirror.h"
#include "l7/shed_reason.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

struct Exchange::StepEntry {
  const char* name;
  Next (Exchange::*run)();
};

const Exchange::StepEntry Exchange::kSteps[] = {
    {"match route", &Exchange::match_route},
    {"wait for a place", &Exchange::queue},
    {"choose backend", &Exchange::choose_backend},
    {"lease connection", &Exchange::lease},
    {"connect", &Exchange::connect},
    {"send request head", &Exchange::send},
    {"relay bodies", &Exchange::relay},
    {"wait before a retry", &Exchange::pause},
    {"send the route's own text", &Exchange::send_text},
    {"finish", &Exchange::finish},
};

namespace {

constexpr std::size_t kLongestKept = 1024;  // of a path, for the log: an idle exchange keeps the memory

}  // namespace

Exchange::Exchange(WorkerContext& context)
    : context_(context), kept_body_(context.buffers), head_(context.buffers), deadline_(context.loop, *this) {}

Exchange::~Exchange() {
  if (is_active()) abort("the worker ended");
}

void Exchange::begin(ClientSide& client) {
  client_ = &client;
  runtime_ = client.connection().runtime();
  listener_ = &client.connection().listener();
  started_ = EventLoop::Clock::now();
  route_ = Router::kNoRoute;
  pool_ = nullptr;
  holds_.clear();
  chosen_ = next_ = nullptr;
  tried_count_ = attempts_ = 0;
  must_connect_ = has_entered_ = is_waiting_ = false;
  request_bytes_ = response_bytes_ = 0;
  status_ = 0;
  is_response_begun_ = is_response_done_ = is_upgrade_ = is_tunnel_ = is_grpc_ = false;
  sets_sticky_ = is_bound_known_ = keeps_bound_ = has_moved_ = is_affinity_due_ = false;
  bound_ = nullptr;
  hash_.reset();
  is_hedged_ = false;
  expires_ = try_expires_ = asked_ = hedge_at_ = EventLoop::Clock::time_point::max();
  own_id_ = context_.request_ids.next();
  error_.clear();
  queued_ms_ = 0;
  reason_ = {};
  sent_again_ = 0;
  is_body_kept_ = true;
  keeps_body_ = false;
  request_id_.clear();
  websocket_key_.clear();
}

Exchange::Outcome Exchange::start(ClientSide& client, std::size_t length) {
  const http::Request& request = context_.request;
  begin(client);
  head_length_ = length;
  request_framing_ = request.framing;
  is_request_done_ = request.framing == http::Framing::kNone;
  is_head_request_ = request.method == "HEAD";
  remember_request();
  if (request.method == "POST") look_for_grpc();
  step_ = kMatchRoute;
  const Next next = match_route();
  client.consume_head();
  return next == Next::kAbort ? Outcome::kAbort : run();
}

void Exchange::look_for_grpc() {
  const http::Fields& fields = context_.request.fields;
  const http::Field* type = fields.find("content-type");
  is_grpc_ = type && http::is_grpc(type->value);
  if (!is_grpc_) return;
  if (const http::Field* timeout = fields.find("grpc-timeout")) {
    if (const auto limit = http::parse_grpc_timeout(timeout->value)) expires_ = started_ + *limit;
  }
}

RouteTerms Exchange::terms() const { return {runtime_->config().routes[route_], pool_->config(), listener_->config}; }

void Exchange::remember_request() {
  const http::Request& request = context_.request;
  if (client_->connection().is_trusted()) {
    if (const http::Field* id = request.fields.find("x-request-id")) request_id_ = id->value.substr(0, 128);
  }
  is_logged_ = context_.access_log.is_on();
  if (!is_logged_) return;
  method_ = request.method;
  host_ = request.host;
  path_ = request.path.substr(0, kLongestKept);
}

// What one side takes may make room on the other at once, down in the same stack: that is looked at when this is done.
Exchange::Outcome Exchange::run() {
  is_event_missed_ = is_running_;
  if (is_running_) return Outcome::kWait;
  is_running_ = true;
  Outcome outcome = run_steps();
  while (outcome == Outcome::kWait && std::exchange(is_event_missed_, false)) outcome = run_steps();
  is_running_ = false;
  return outcome;
}

Exchange::Outcome Exchange::run_steps() {
  for (;;) {
    GH_CHECK(step_ != kIdle);
    const StepEntry& step = kSteps[step_];
    switch ((this->*step.run)()) {
      case Next::kGo: break;
      case Next::kWait: return Outcome::kWait;
      case Next::kDone: return Outcome::kDone;
      case Next::kAbort: return Outcome::kAbort;
    }
  }
}

Exchange::Next Exchange::match_route() {
  const http::Request& request = context_.request;
  if (listener_->is_probe) return answer(request.path == "/healthz" ? 200 : 404, "ok");
  context_.board.worker(context_.index).requests.fetch_add(1, std::memory_order_relaxed);
  if (const char* why = listener_->paths.apply(context_.request.path, context_.route_scratch.path)) {
    context_.board.worker(context_.index).refused_paths.fetch_add(1, std::memory_order_relaxed);
    return answer(400, why);
  }
  const Router::Found found = runtime_->router().find(asked());
  route_ = found.route;
  match_ = found.match;
  if (route_ == Router::kNoRoute) return answer(404, "no route for this host and path");
  // RFC 8470 §5.2: the client repeats it after the handshake.
  if (client_->connection().wire().stream().is_early() && !runtime_->config().routes[route_].early_data) {
    return answer(425, "this route takes no early data");
  }
  const RoutePlan& plan = runtime_->plan_of(route_);
  if (plan.is_answer()) return answer_by_route(plan);
  if (context_.cpu_shedding.is_on() && context_.cpu_shedding.refuses(plan.priority_class())) {
    return shed(kNoCpu, "this node has no time for it");
  }
  if (!choose_pool(plan)) return answer(503, "no pool of this route takes requests");
  is_upgrade_ = !request.upgrade.empty();
  if (is_upgrade_ && pool_->speaks_h2()) return answer(501, "WebSocket is not served by this route");
  const RouteTerms terms = this->terms();
  if (request.framing == http::Framing::kLength && request.content_length > terms.max_body()) {
    return answer(413, "the request body is larger than what is taken here");
  }
  const bool is_limited = terms.request_timeout().count() > 0 && !is_upgrade_;
  if (is_limited) expires_ = std::min(expires_, started_ + terms.request_timeout());
  prepare_retries();
  return write_backend_head();
}

Exchange::Next Exchange::write_backend_head() {
  ClientConnection& connection = client_->connection();
  http::Forwarding forwarding;
  forwarding.client = connection.address();
  forwarding.protocol = listener_->tls ? "https" : "http";
  forwarding.via = context_.request.is_h2 ? context_.via_h2 : context_.via;
  forwarding.request_id = request_id();
  forwarding.is_trusted = connection.is_trusted();
  forwarding.certificate = connection.wire().stream().client_certificate();
  forwarding.tells_attempts = tells_attempts_;
  forwarding.is_early = connection.wire().stream().is_early();
  if (is_upgrade_ && context_.request.is_h2) forwarding.websocket_key = websocket_key_ = http::websocket_key(own_id_.view());
  const std::size_t length = head_length_ + rewrite(runtime_->plan_of(route_), forwarding);
  head_.release();
  const bool fits = pool_->speaks_h2() ? http::write_h2_request_head(head_.fields, context_.request, forwarding)
                                       : http::write_request_head(head_.text, context_.request, length, forwarding);
  if (!fits) {
    return answer(431, "the header section is too large to forward");
  }
  if (Pool* mirror = runtime_->mirror_of(route_)) begin_mirror(*mirror, forwarding, length);
  return go(kChooseBackend);
}

Exchange::Next Exchange::choose_backend() {
  if (const ShedReason* reason = has_entered_ ? nullptr : enter_pool()) {
    return wait_for_place(*reason, "the pool has as many requests as it may");
  }
  chosen_ = next_ ? std::exchange(next_, nullptr) : choose();
  if (chosen_) return go(kLease);
  if (pool_->was_full()) return wait_for_place(kOverLimit, "every backend has as many requests as it may");
  if (const auto* own = pool_->panic_answer()) return answer_in_panic(*own);
  return answer(503, "no healthy backend", "no healthy backend in pool " + pool_->config().name);
}

Exchange::Next Exchange::lease() {
  const bool is_shared = pool_->proxy_version() == ProxyVersion::kNone;  // else each is of one client (proxy-protocol.txt §2)
  backend_ = chosen_->lease(*this, pool_->config(), must_connect_ || !is_shared);
  const int code = errno;
  if (!backend_ && code == Backend::kFull) {
    return wait_for_place(kOverLimit, "every backend has as many requests or connections as it may");
  }
  leave_queue();
  if (attempts_++ == 0) pool_->earn_retries();
  if (!backend_) {
    const std::string why = chosen_->why_unreached(std::strerror(code));
    return is_shortage(code) ? answer(503, "this node has too many connections", why) : after_failed_connect(502, why);
  }
  chosen_->count_request();
  wait_at_most(connect_patience());
  return go(kConnect);
}

Exchange::Next Exchange::connect() {
  switch (backend_->open()) {
    case StreamStatus::kDone:
      end_waiting();
      return go(kSend);
    case StreamStatus::kBlocked:
      if (!is_waiting_ && !pool_->begin_waiting()) return shed(kOverLimit, "too many requests wait for a connection");
      is_waiting_ = true;
      return Next::kWait;
    default:
      return after_failed_connect(502, chosen_->why_unreached(backend_->failure()));
  }
}

void Exchange::end_waiting() {
  if (std::exchange(is_waiting_, false)) pool_->end_waiting();
}

Exchange::Next Exchange::send() {
  if (pool_->proxy_version() != ProxyVersion::kNone) {
    char header[kMostProxyHeader];
    ClientConnection& client = client_->connection();
    backend_->send_first({header, write_proxy_header(pool_->proxy_version(), client.arrival(), client.wire(), header)});
  }
  if (tells_attempts_ && attempts_ > 1) head_.set_attempt(attempts_);
  backend_->send_head(head_, request_framing_, is_request_done_);
  if (is_request_done_) expect_answer();
  if (is_grpc_ && pool_->config().end_when_down) stay_.join<&Exchange::on_backend_down>(chosen_->stays(), this);
  wait_at_most(terms().response_timeout());
  return go(kRelay);
}

}  // namespace gatehouse::l7
