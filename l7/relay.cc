// The step in which bytes flow: request body to the backend, response head and body to the client. Each direction reads
// only what the other side's buffer has room for; what has no room stays in the kernel, and the peer's window closes.
#include <algorithm>

#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/http/h1_writer.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr int kRoundsPerTurn = 16;                     // then the worker's other connections have their turn
constexpr std::uint64_t kBulk = 128 * 1024;            // a body beyond this gets large buffers
constexpr http::HeadLimits kResponseLimits{64 * 1024, 0, http::kMaxFields};
constexpr std::size_t kFraming = http::kMaxChunkFraming + http::kLastChunk.size();

}  // namespace

Exchange::Next Exchange::relay() {
  bool has_moved = false;
  Wire& client = client_.wire();
  for (int round = 0; round < kRoundsPerTurn; ++round) {
    is_decided_ = false;
    bool is_moving = relay_request();
    if (!is_decided_) is_moving |= backend_->wire().flush();
    if (!is_decided_) is_moving |= relay_response();
    if (is_decided_) return decision_;
    if (is_response_done_) return go(kFinish);
    is_moving |= client.flush();
    if (client.has_failed()) return break_off("the client closed the connection");
    has_moved |= is_moving;
    if (is_moving) continue;
    if (has_moved) set_wait_limit();
    return Next::kWait;
  }
  set_wait_limit();
  context_.resume_later(client_);
  return Next::kWait;
}

bool Exchange::relay_request() {
  Wire& client = client_.wire();
  Buffer& input = client.input();
  Buffer& output = backend_->wire().output();
  bool has_moved = false;
  while (!is_request_done_) {
    if (input.is_empty() && !client.fill()) {
      const bool is_cut = client.is_at_end() || client.has_failed();
      if (is_cut) decide(break_off("the client closed the connection within its request"));
      break;
    }
    const std::size_t room = output.room();
    if (room <= kFraming) break;
    const http::BodyReader::Step step = request_reader_.next(input.view().substr(0, room - kFraming));
    if (step.is_malformed) {
      is_keep_alive_ = false;
      decide(answer(400, step.reason));
      return true;
    }
    request_bytes_ += step.data.size();
    if (request_bytes_ > client_.listener().config.max_body.bytes) {
      decide(answer(413, "the request body is larger than this listener takes"));
      return true;
    }
    const bool is_chunked = request_framing_ == http::Framing::kChunked;
    append_body(output, step.data, is_chunked);
    input.consume(step.consumed);
    has_moved |= step.consumed > 0;
    is_request_done_ = request_reader_.is_done();
    if (is_request_done_ && is_chunked) output.append(http::kLastChunk);
    input.prefer_large(!is_request_done_ && request_bytes_ > kBulk);
    output.prefer_large(!is_request_done_ && request_bytes_ > kBulk);
  }
  return has_moved;
}

bool Exchange::relay_response() {
  bool has_moved = !is_response_begun_;
  if (!is_response_begun_ && !receive_head()) return false;
  Wire& wire = backend_->wire();
  Buffer& input = wire.input();
  Buffer& output = client_.wire().output();
  while (!is_response_done_) {
    if (input.is_empty() && !wire.fill()) {
      if (wire.is_at_end() || wire.has_failed()) return end_of_backend();
      return has_moved;
    }
    const std::size_t room = output.room();
    if (room <= kFraming) return has_moved;
    const http::BodyReader::Step step = response_reader_.next(input.view().substr(0, room - kFraming));
    if (step.is_malformed) {
      chosen_->count_failure();
      decide(break_off(std::string("the backend's body is malformed: ") + step.reason));
      return true;
    }
    response_bytes_ += step.data.size();
    append_body(output, step.data, is_response_chunked_);
    input.consume(step.consumed);
    has_moved |= step.consumed > 0;
    is_response_done_ = response_reader_.is_done();
    if (is_response_done_ && is_response_chunked_) output.append(http::kLastChunk);
    input.prefer_large(!is_response_done_ && response_bytes_ > kBulk);
    output.prefer_large(!is_response_done_ && response_bytes_ > kBulk);
  }
  return has_moved;
}

void Exchange::append_body(Buffer& output, std::string_view data, bool is_chunked) {
  if (data.empty()) return;
  if (!is_chunked) {
    GH_CHECK(output.append(data) == data.size());
    return;
  }
  char size[http::kMaxChunkFraming];
  output.append({size, http::write_chunk_size(size, data.size())});
  output.append(data);
  GH_CHECK(output.append("\r\n") == 2);
}

// Returns whether the head is in the client's output now.
bool Exchange::receive_head() {
  Wire& wire = backend_->wire();
  Buffer& input = wire.input();
  for (;;) {
    if (input.is_empty() && !wire.fill()) break;
    const std::string_view method = is_head_request_ ? "HEAD" : "GET";
    const http::ParseResult result = http::parse_response(input.view(), kResponseLimits, scanned_, method, context_.response);
    if (result.status == http::ParseStatus::kNeedMore) {
      if (wire.fill() || (input.room() == 0 && input.grow())) continue;
      break;
    }
    if (result.status != http::ParseStatus::kDone) {
      chosen_->count_failure();
      decide(answer(502, std::string("the backend's answer is malformed: ") + result.reason));
      return false;
    }
    if (context_.response.status >= 200) return start_response(result.length);
    if (!forward_interim(result.length)) return false;
  }
  if (!wire.is_at_end() && !wire.has_failed()) return false;
  if (!input.is_empty()) {
    chosen_->count_failure();
    decide(answer(502, "the backend closed the connection within its header section"));
  } else {
    decide(after_lost_backend());
  }
  return false;
}

// 1xx: for clients that know them (RFC 9110 §15.2).
bool Exchange::forward_interim(std::size_t length) {
  const bool is_switch = context_.response.status == 101;
  if (is_switch) {
    chosen_->count_failure();
    decide(answer(502, "the backend switched protocols without being asked to"));
    return false;
  }
  if (!is_minor_version_0_) {
    http::ResponseStyle interim;
    interim.via = context_.via;
    if (!http::write_response_head(client_.wire().output(), context_.response, length, interim)) {
      decide(break_off("no room for an interim response"));
      return false;
    }
  }
  backend_->wire().input().consume(length);
  scanned_ = 0;
  return true;
}

bool Exchange::start_response(std::size_t length) {
  const http::Response& response = context_.response;
  const bool has_unknown_length = response.framing == http::Framing::kChunked || response.framing == http::Framing::kUntilClose;
  is_response_chunked_ = has_unknown_length && !is_minor_version_0_;
  // A response that comes before the whole request may leave bytes behind that nobody reads: the connection ends with it.
  const bool was_keep_alive = is_keep_alive_;
  is_keep_alive_ =
      is_keep_alive_ && is_request_done_ && !context_.is_draining && !(has_unknown_length && is_minor_version_0_);
  http::ResponseStyle out = style();
  out.date = context_.clock.http_date();
  out.framing = is_response_chunked_ ? http::Framing::kChunked : has_unknown_length ? http::Framing::kUntilClose : response.framing;
  Buffer& output = client_.wire().output();
  if (!http::write_response_head(output, response, length, out)) {
    is_keep_alive_ = was_keep_alive;
    client_.wire().flush();
    if (output.is_empty()) decide(answer(502, "the backend's header section is too large to forward"));
    return false;  // else: when the answers before this one have left
  }
  status_ = response.status;
  if (status_ >= 500) chosen_->count_failure();
  is_response_begun_ = true;
  is_backend_reusable_ = response.is_keep_alive;
  response_reader_ = http::BodyReader(response.framing, response.content_length);
  is_response_done_ = response_reader_.is_done();
  backend_->wire().input().consume(length);
  return true;
}

http::ResponseStyle Exchange::style() const {
  http::ResponseStyle style;
  style.via = context_.via;
  style.request_id = request_id_.empty() ? own_id_.view() : std::string_view(request_id_);
  style.hsts = hsts();
  if (!is_keep_alive_) style.persistence = http::Persistence::kClose;
  if (is_keep_alive_ && is_minor_version_0_) style.persistence = http::Persistence::kKeepAlive;
  return style;
}

// RFC 6797 §7.2: over TLS only.
std::string_view Exchange::hsts() const {
  if (!client_.listener().tls) return {};
  const std::string& of_listener = client_.listener().config.hsts;
  if (route_ == Router::kNoRoute) return of_listener;
  const std::string& of_route = runtime_->config().routes[route_].hsts;
  return of_route.empty() ? of_listener : of_route;
}

bool Exchange::end_of_backend() {
  is_backend_reusable_ = false;
  if (!backend_->wire().has_failed() && response_reader_.finish_at_close()) {
    is_response_done_ = true;
    if (is_response_chunked_) client_.wire().output().append(http::kLastChunk);
    return true;
  }
  chosen_->count_failure();
  decide(break_off("the backend closed the connection within its body"));
  return true;
}

// Whoever has to move next has his own patience.
void Exchange::set_wait_limit() {
  const Duration of_client = client_.listener().config.idle_timeout;
  const bool waits_for_client = (!is_request_done_ && backend_->wire().output().is_empty()) || !client_.wire().output().is_empty();
  deadline_.set(waits_for_client ? of_client : pool_->config().response_timeout);
}

void Exchange::on_deadline() {
  if (!is_active() || !backend_) return;
  if (step_ == kConnect) {
    const std::string why = "no connection to " + to_string(chosen_->address()) + " within " + to_string(pool_->config().connect_timeout);
    decision_ = try_another_backend(504, why);
    return decision_ == Next::kAbort ? client_.break_off() : client_.advance();
  }
  const bool is_clients_fault = !is_request_done_ && backend_->wire().output().is_empty() && !is_response_begun_;
  if (is_clients_fault) {
    is_keep_alive_ = false;
    decision_ = answer(408, "the request body stopped coming");
  } else if (!is_response_begun_) {
    chosen_->count_failure();
    decision_ = answer(504, "the backend did not answer in time", "no answer from " + to_string(chosen_->address()) + " within " + to_string(pool_->config().response_timeout));
  } else {
    decision_ = break_off(client_.wire().output().is_empty() ? "the backend's body stopped coming" : "the client does not read");
  }
  if (decision_ == Next::kAbort) return client_.break_off();
  client_.advance();
}

}  // namespace gatehouse::l7
