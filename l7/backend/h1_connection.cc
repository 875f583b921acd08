#include "l7/backend/h1_connection.h"

#include "l7/backend/backend.h"
#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr http::HeadLimits kResponseLimits{64 * 1024, 0, http::kMaxFields};

}  // namespace

H1Connection::H1Connection(WorkerContext& context, Backend& backend, std::unique_ptr<Stream> stream)
    : BackendConnection(context, backend, std::move(stream)), context_(context),
      response_body_(context.buffers) {
  set_backend(backend);
}

void H1Connection::lease_to(BackendUser& user) {
  user_ = &user;
  is_keep_alive_ = false;
  count_request();
  wake();
}

bool H1Connection::rest_after_lease(const config::Pool& pool) {
  user_ = nullptr;
  // An end, or bytes that nobody asked for, may have come with the answer: no further event would tell of them.
  const bool is_quiet = wire().output().is_empty() && wire().input().is_empty() && !wire().is_hung_up() && !wire().is_at_end() &&
                        !wire().fill() && !wire().is_at_end() && !wire().has_failed();
  if (!is_quiet || !is_keep_alive_) return false;
  is_reused_ = true;
  plan_rest(pool);
  rest();
  return true;
}

void H1Connection::go_on_alone(const config::Pool& pool) {
  user_ = nullptr;
  is_alone_ = true;
  forget_requests();
  plan_rest(pool);
  expect_open(pool.connect_timeout);
}

void H1Connection::connect_alone() {
  switch (wire().open()) {
    case StreamStatus::kBlocked: return;
    case StreamStatus::kDone: break;
    default: return owner().drop_warming(*this, ConnectionEnd::kBackend);
  }
  is_alone_ = false;
  is_reused_ = true;  // it may be closed just as a request leaves
  rest();
  owner().on_warm(*this);
}

std::string H1Connection::failure() const { return wire().failure(); }

void H1Connection::send_head(const http::RequestHead& head, http::Framing framing, bool is_last) {
  Buffer& output = wire().output();
  if (output.room() < head.text.size()) output.grow();
  GH_CHECK(output.append(head.text.view()) == head.text.size());
  request_body_.begin(framing);
  // Of a repeated request with an empty chunked body: its end went with the connection before.
  if (is_last && framing == http::Framing::kChunked) request_body_.write(output, {}, true);
  scanned_ = 0;
}

std::size_t H1Connection::body_room() { return request_body_.room(wire().output()); }
void H1Connection::send_body(std::string_view data, bool is_last) {
  request_body_.write(wire().output(), data, is_last);
  ends_output_ = is_tunnel_ && is_last;
}
void H1Connection::send_trailers(const http::Fields& trailers) { request_body_.write_trailers(wire().output(), trailers); }
bool H1Connection::flush() {
  const bool has_flushed = wire().flush();
  if (ends_output_ && wire().output().is_empty() && !wire().has_failed()) {
    ends_output_ = false;
    wire().close_output();
  }
  return has_flushed;
}
bool H1Connection::has_unsent() const { return !wire().output().is_empty(); }

BackendSide::Head H1Connection::receive_head(bool is_head_request) {
  Buffer& input = wire().input();
  http::Response& response = context_.response;
  for (;;) {
    if (input.is_empty() && !wire().fill()) break;
    const http::ParseResult result =
        http::parse_response(input.view(), kResponseLimits, scanned_, is_head_request ? "HEAD" : "GET", response);
    if (result.status == http::ParseStatus::kNeedMore) {
      if (wire().fill() || (input.room() == 0 && input.grow())) continue;
      break;
    }
    if (result.status != http::ParseStatus::kDone) return {HeadStatus::kMalformed, 0, result.reason};
    head_length_ = result.length;
    if (response.status >= 200) {
      is_keep_alive_ = response.is_keep_alive;
      response_body_.begin(response.framing, response.content_length);
    }
    return {HeadStatus::kDone, result.length};
  }
  if (!wire().is_at_end() && !wire().has_failed()) return {};
  return {input.is_empty() ? HeadStatus::kLost : HeadStatus::kCut};
}

void H1Connection::consume_head() {
  wire().input().consume(head_length_);
  scanned_ = 0;
}

void H1Connection::start_tunnel() {
  consume_head();
  is_tunnel_ = true;
  request_body_.begin(http::Framing::kUntilClose);
  response_body_.begin(http::Framing::kUntilClose, 0);
}

http::BodyPiece H1Connection::read_body(std::size_t most) { return response_body_.read(wire(), most, context_.trailers); }
void H1Connection::consume_body() { response_body_.consume(wire()); }

void H1Connection::release(bool is_complete, const config::Pool& pool) {
  wire().input().prefer_large(false);
  wire().output().prefer_large(false);
  // One that began with a PROXY header is its client's alone (proxy-protocol.txt §2).
  is_keep_alive_ = is_keep_alive_ && is_complete && pool.proxy_protocol.empty();
  owner().give_back(*this, pool);
}

void H1Connection::leave_behind(const config::Pool& pool) { owner().leave_behind(*this, pool); }

void H1Connection::on_ready() {
  if (user_) return user_->on_backend_event();
  if (is_alone_) connect_alone();
  if (is_alone_ || !is_resting()) return;
  // Nothing is expected while idle: bytes would answer nobody, and an end is an end. An edge alone says nothing: it may
  // be of bytes that were read with those before them.
  if (wire().fill() || wire().is_at_end() || wire().has_failed()) owner().drop_idle(*this, ConnectionEnd::kBackend);
}

void H1Connection::on_idle_timeout() {
  if (is_alone_) return owner().drop_warming(*this, ConnectionEnd::kBackend);
  owner().drop_idle(*this, rest_end());
}

}  // namespace gatehouse::l7
