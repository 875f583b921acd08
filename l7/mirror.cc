// Begun in the turn after the request's own, so that it never stands in its way.
#include "l7/mirror.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "l7/backend/pool.h"
#include "l7/backend/pool_queue.h"
#include "l7/http/h2_head.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kPiece = 64 * 1024;  // of an answer, at once

}  // namespace

Mirror::Mirror(WorkerContext& context, std::shared_ptr<const Runtime> runtime, Pool& pool,
               std::uint64_t most_body)
    : context_(context),
      runtime_(std::move(runtime)),
      pool_(pool),
      most_body_(most_body),
      head_(context.buffers),
      deadline_(context.loop, *this) {}

Mirror::~Mirror() {
  if (backend_) backend_->release(false, pool_.config());
  leave_pool();
}

void Mirror::leave_pool() {
  if (std::exchange(is_asking_, false)) pool_.end_asking();
  if (!std::exchange(has_entered_, false)) return;
  pool_.leave();
  if (PoolQueue* queue = pool_.queue()) queue->on_freed();
}

bool Mirror::copy_head(http::Forwarding forwarding, std::size_t length) {
  const http::Request& request = context_.request;
  framing_ = request.framing;
  is_head_request_ = request.method == "HEAD";
  forwarding.tells_attempts = false;
  return pool_.speaks_h2() ? http::write_h2_request_head(head_.fields, request, forwarding)
                           : http::write_request_head(head_.text, request, length, forwarding);
}

bool Mirror::copy_body(std::string_view data) {
  if (data.size() > most_body_ - body_.size()) return false;
  body_ += data;
  return true;
}

// What a backend does may make it do more, down in the same stack: the loop here sees it.
void Mirror::advance() {
  if (is_running_) return;
  is_running_ = true;
  bool has_more = true;
  while (has_more) {
    switch (step_) {
      case Step::kEnter:
        has_more = enter();
        break;
      case Step::kLease:
        has_more = lease();
        break;
      case Step::kOpen:
        has_more = open();
        break;
      case Step::kExchange:
        has_more = exchange();
        break;
      case Step::kGone:
        has_more = false;
        break;
    }
  }
  is_running_ = false;
}

// A copy does not wait, and goes before nobody who does.
bool Mirror::enter() {
  const PoolQueue* queue = pool_.queue();
  const bool may_try = !queue || queue->admits(PriorityClass::kSheddable);
  has_entered_ = may_try && pool_.enter(PriorityClass::kSheddable) == nullptr;
  if (!has_entered_) return end(false);
  is_asking_ = pool_.counts_asking();
  step_ = Step::kLease;
  context_.mirrors.resume_later(*this);
  return false;
}

bool Mirror::lease() {
  chosen_ = pool_.choose(Wish{});
  holds_.add(chosen_);
  backend_ = chosen_ ? chosen_->lease(*this, pool_.config(), false) : nullptr;
  if (!backend_ && errno == Backend::kFull) chosen_ = nullptr;  // it has not failed
  if (!backend_) return end(false);
  chosen_->count_request();
  deadline_.set(pool_.config().connect_timeout);
  step_ = Step::kOpen;
  return true;
}

bool Mirror::open() {
  switch (backend_->open()) {
    case StreamStatus::kBlocked:
      return false;
    case StreamStatus::kDone:
      break;
    default:
      return end(false);
  }
  backend_->send_head(head_, framing_, framing_ == http::Framing::kNone);
  asked_ = context_.loop.now();
  deadline_.set(pool_.config().response_timeout);
  step_ = Step::kExchange;
  return true;
}

bool Mirror::exchange() {
  bool has_moved = send_body();
  has_moved |= backend_->flush();
  has_moved |= receive();
  return has_moved && step_ == Step::kExchange;
}

// An empty body that was to come in chunks has an end, too.
bool Mirror::send_body() {
  if (framing_ == http::Framing::kNone) return false;
  const std::size_t size = std::min(backend_->body_room(), body_.size() - sent_);
  if (size == 0 && sent_ < body_.size()) return false;
  const std::string_view piece = std::string_view(body_).substr(sent_, size);
  sent_ += size;
  const bool is_last = sent_ == body_.size();
  backend_->send_body(piece, is_last);
  if (is_last) framing_ = http::Framing::kNone;
  return true;
}

bool Mirror::receive() {
  if (!has_head_) {
    const BackendSide::Head head = backend_->receive_head(is_head_request_);
    if (head.status == BackendSide::HeadStatus::kNothing) return false;
    if (head.status != BackendSide::HeadStatus::kDone) return end(false);
    has_head_ = context_.response.status >= 200;
    const bool is_real = context_.response.status < 500;
    backend_->consume_head();
    if (has_head_) pool_.note_wait(*chosen_, asked_, is_real);
    if (has_head_ && std::exchange(is_asking_, false)) pool_.end_asking();
    return true;
  }
  using Status = http::BodyPiece::Status;
  const http::BodyPiece piece = backend_->read_body(kPiece);
  if (piece.status == Status::kNothing) return false;
  if (piece.status != Status::kData) return end(false);
  const bool is_last = piece.is_last;
  backend_->consume_body();
  return is_last ? end(true) : true;
}

void Mirror::on_deadline() {
  if (step_ != Step::kGone) end(false);
}

bool Mirror::end(bool is_complete) {
  WorkerCell& cell = context_.board.worker(context_.index);
  (is_complete ? cell.mirrored : cell.failed_mirrors).fetch_add(1, std::memory_order_relaxed);
  if (chosen_) is_complete ? pool_.note_success(*chosen_) : pool_.note_failure(*chosen_);
  if (backend_)
    std::exchange(backend_, nullptr)
        ->release(is_complete && framing_ == http::Framing::kNone, pool_.config());
  leave_pool();
  deadline_.clear();
  step_ = Step::kGone;
  context_.mirrors.retire(*this);
  return false;
}

}  // namespace gatehouse::l7
