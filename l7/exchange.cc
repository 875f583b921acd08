// The steps of an exchange, in the order of the table. How bodies are relayed is in relay.cc.
#include "l7/exchange.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/log.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/http/h1_writer.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

struct Exchange::StepEntry {
  const char* name;
  Next (Exchange::*run)();
};

const Exchange::StepEntry Exchange::kSteps[] = {
    {"match route", &Exchange::match_route},
    {"choose backend", &Exchange::choose_backend},
    {"lease connection", &Exchange::lease},
    {"connect", &Exchange::connect},
    {"send request head", &Exchange::send},
    {"relay bodies", &Exchange::relay},
    {"finish", &Exchange::finish},
};

namespace {

constexpr std::size_t kLongestKept = 1024;  // of a path, for the log: an idle connection keeps the memory

bool is_idempotent_method(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

Exchange::Exchange(WorkerContext& context, ClientConnection& client)
    : context_(context), client_(client), head_(context.buffers), deadline_(context.loop, *this) {}

Exchange::~Exchange() {
  if (is_active()) abort("the worker ended");
}

Exchange::Outcome Exchange::start(std::size_t length) {
  const http::Request& request = context_.request;
  runtime_ = &client_.runtime();
  started_ = EventLoop::Clock::now();
  route_ = Router::kNoRoute;
  pool_ = nullptr;
  chosen_ = nullptr;
  attempts_ = 0;
  must_connect_ = false;
  request_framing_ = request.framing;
  request_reader_ = http::BodyReader(request.framing, request.content_length);
  request_bytes_ = response_bytes_ = 0;
  status_ = 0;
  is_request_done_ = request_reader_.is_done();
  is_response_begun_ = is_response_done_ = is_backend_reusable_ = false;
  const std::uint32_t most = client_.listener().config.max_requests;
  is_keep_alive_ = request.is_keep_alive && !context_.is_draining && (most == 0 || served_ + 1 < most);
  is_head_request_ = request.method == "HEAD";
  is_idempotent_ = is_idempotent_method(request.method);
  is_minor_version_0_ = request.minor_version == 0;
  remember_request();
  step_ = kMatchRoute;
  const Next next = match_route();
  client_.wire().input().consume(length);
  if (next == Next::kAbort) return Outcome::kAbort;
  return run();
}

void Exchange::remember_request() {
  const http::Request& request = context_.request;
  error_.clear();
  own_id_ = context_.request_ids.next();
  request_id_.clear();
  if (client_.is_trusted()) {
    if (const http::Field* id = request.fields.find("x-request-id")) request_id_ = id->value.substr(0, 128);
  }
  if (!context_.access_log.is_on()) return;
  method_ = request.method;
  host_ = request.host;
  path_ = request.path.substr(0, kLongestKept);
}

Exchange::Outcome Exchange::run() {
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
  const Runtime::Listener& listener = client_.listener();
  if (listener.is_probe) return answer(request.path == "/healthz" ? 200 : 404, "ok");
  context_.board.worker(context_.index).requests.fetch_add(1, std::memory_order_relaxed);
  route_ = runtime_->router().match(request.host, request.path);
  if (route_ == Router::kNoRoute) return answer(404, "no route for this host and path");
  pool_ = &runtime_->pool_of(route_);
  // RFC 8470 §5.2: the client repeats it after the handshake.
  if (client_.wire().stream().is_early() && !runtime_->config().routes[route_].early_data) {
    return answer(425, "this route takes no early data");
  }
  if (request.framing == http::Framing::kLength && request.content_length > listener.config.max_body.bytes) {
    return answer(413, "the request body is larger than this listener takes");
  }
  return write_backend_head();
}

Exchange::Next Exchange::write_backend_head() {
  http::Forwarding forwarding;
  forwarding.client = client_.address();
  forwarding.protocol = client_.listener().tls ? "https" : "http";
  forwarding.via = context_.via;
  forwarding.request_id = request_id_.empty() ? own_id_.view() : std::string_view(request_id_);
  forwarding.is_trusted = client_.is_trusted();
  forwarding.certificate = client_.wire().stream().client_certificate();
  forwarding.is_early = client_.wire().stream().is_early();
  head_.release();
  // The head is no longer than what has been received.
  const std::size_t bound = std::min<std::size_t>(client_.wire().input().size(), client_.listener().limits.max_bytes);
  if (!http::write_request_head(head_, context_.request, bound, forwarding)) {
    return answer(431, "the header section is too large to forward");
  }
  return go(kChooseBackend);
}

Exchange::Next Exchange::choose_backend() {
  if (attempts_ == kMaxAttempts) return answer(unreached_status_, "no backend could be reached", std::string(error_));
  Backend* next = pool_->choose({tried_.data(), attempts_});
  if (next) {
    chosen_ = next;
    return go(kLease);
  }
  if (attempts_ > 0) return answer(unreached_status_, "no backend could be reached", std::string(error_));
  return answer(503, "no healthy backend", "no healthy backend in pool " + pool_->config().name);
}

Exchange::Next Exchange::lease() {
  const bool is_shared = pool_->proxy_version() == ProxyVersion::kNone;  // else each is of one client (proxy-protocol.txt §2)
  if (!must_connect_ && is_shared) backend_ = chosen_->take_idle(*this);
  if (!backend_) backend_ = chosen_->connect(*this);
  if (!backend_) {
    const int code = errno;
    const std::string why = "cannot connect to " + to_string(chosen_->address()) + ": " + std::strerror(code);
    return is_shortage(code) ? answer(503, "this node has too many connections", why) : try_another_backend(502, why);
  }
  chosen_->count_request();
  deadline_.set(pool_->config().connect_timeout);
  return go(kConnect);
}

Exchange::Next Exchange::connect() {
  switch (backend_->wire().open()) {
    case StreamStatus::kDone: return go(kSend);
    case StreamStatus::kBlocked: return Next::kWait;
    default: return try_another_backend(502, "cannot connect to " + to_string(chosen_->address()) + ": " + backend_->wire().failure());
  }
}

// `status` answers the request when no other is left.
Exchange::Next Exchange::try_another_backend(std::uint16_t status, std::string_view why) {
  unreached_status_ = status;
  error_ = why;
  chosen_->count_failure();
  chosen_->avoid();
  if (backend_) release_backend(false);
  tried_[attempts_++] = chosen_;
  return go(kChooseBackend);
}

Exchange::Next Exchange::send() {
  Buffer& output = backend_->wire().output();
  if (pool_->proxy_version() != ProxyVersion::kNone) {
    char header[kMostProxyHeader];
    output.append({header, write_proxy_header(pool_->proxy_version(), client_.arrival(), client_.wire(), header)});
  }
  if (output.room() < head_.size()) output.grow();
  GH_CHECK(output.append(head_.view()) == head_.size());
  // Of a repeated request with an empty chunked body: its end went with the connection before.
  if (is_request_done_ && request_framing_ == http::Framing::kChunked) output.append(http::kLastChunk);
  scanned_ = 0;
  deadline_.set(pool_->config().response_timeout);
  return go(kRelay);
}

// A connection that was kept may have been closed just as the request left: nothing of the answer has come, so a request
// that may be repeated is, on a new connection (RFC 9110 §9.2.2, RFC 9112 §9.3.1). Anything else is the backend's failure.
Exchange::Next Exchange::after_lost_backend() {
  const bool is_race = backend_->is_reused() && is_idempotent_ && request_bytes_ == 0 && backend_->wire().input().is_empty();
  if (is_race) {
    release_backend(false);
    must_connect_ = true;
    return go(kLease);
  }
  chosen_->count_failure();
  return answer(502, "the backend closed the connection before its answer");
}

// `why` is for the client; what names backends is for the log only.
Exchange::Next Exchange::answer(std::uint16_t status, std::string_view why, std::string_view detail) {
  if (is_response_begun_) return break_off(detail.empty() ? why : detail);
  if (status >= 400) error_ = detail.empty() ? why : detail;
  if (backend_) release_backend(false);
  status_ = status;
  is_keep_alive_ = is_keep_alive_ && is_request_done_ && !context_.is_draining;
  const std::string phrase(http::reason_phrase(status));
  const std::string text = status == 200 ? std::string(why) + "\n" : std::to_string(status) + " " + phrase + ": " + std::string(why) + "\n";
  http::OwnAnswer answer{status, text, context_.clock.http_date(), is_head_request_, is_keep_alive_};
  Buffer& output = client_.wire().output();
  if (!http::write_own_answer(output, answer, style())) return break_off(why);
  is_response_begun_ = is_response_done_ = true;
  response_bytes_ = text.size();
  return go(kFinish);
}

Exchange::Next Exchange::break_off(std::string_view why) {
  error_ = why;
  return Next::kAbort;
}

void Exchange::refuse(std::uint16_t status, std::string_view why) {
  started_ = EventLoop::Clock::now();
  runtime_ = &client_.runtime();
  route_ = Router::kNoRoute;
  own_id_ = context_.request_ids.next();
  for (std::string* text : {&request_id_, &method_, &host_, &path_}) text->clear();
  is_request_done_ = is_response_begun_ = false;
  is_head_request_ = is_keep_alive_ = is_minor_version_0_ = false;
  step_ = kFinish;
  if (answer(status, why) == Next::kGo) finish();
}

void Exchange::abort(std::string_view why) {
  if (!is_active()) return;
  if (error_.empty()) error_ = why;
  if (backend_) release_backend(false);
  count_answer();
  write_log();
  head_.release();
  deadline_.clear();
  step_ = kIdle;
}

Exchange::Next Exchange::finish() {
  if (backend_) release_backend(is_backend_reusable_ && is_request_done_ && is_response_done_);
  count_answer();
  write_log();
  head_.release();
  deadline_.clear();
  step_ = kIdle;
  ++served_;
  return Next::kDone;
}

void Exchange::release_backend(bool is_reusable) {
  Backend& owner = backend_->backend();
  backend_->wire().input().prefer_large(false);
  backend_->wire().output().prefer_large(false);
  const bool is_clean = is_reusable && pool_->proxy_version() == ProxyVersion::kNone && backend_->wire().output().is_empty() && !backend_->wire().is_at_end();
  owner.give_back(std::move(backend_), is_clean, pool_->config().max_idle, pool_->config().idle_timeout);
}

void Exchange::count_answer() {
  if (status_ >= 500) context_.board.worker(context_.index).responses_5xx.fetch_add(1, std::memory_order_relaxed);
}

void Exchange::write_log() {
  if (!context_.access_log.is_on() || client_.listener().is_probe) return;
  const config::Config& config = runtime_->config();
  const bool has_route = route_ != Router::kNoRoute;
  const std::string backend = chosen_ && has_route ? to_string(chosen_->address()) : "";
  AccessRecord record;
  record.time = context_.clock.timestamp();
  record.request_id = request_id_.empty() ? own_id_.view() : std::string_view(request_id_);
  record.client = client_.address();
  record.method = method_;
  record.host = host_;
  record.path = path_;
  if (has_route) record.route = config.routes[route_].name;
  if (has_route) record.pool = config.routes[route_].pool;
  record.backend = backend;
  record.node = context_.node;
  record.worker = context_.index;
  record.error = error_;
  record.status = status_;
  record.bytes = response_bytes_;
  record.duration_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(EventLoop::Clock::now() - started_).count());
  context_.access_log.add(record);
}

void Exchange::on_backend_event() { client_.advance(); }

}  // namespace gatehouse::l7
