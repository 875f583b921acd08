// Whether a request is copied for another pool, and its body as it passes by.
#include "l7/exchange.h"
#include "l7/mirror.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {

void Exchange::begin_mirror(Pool& pool, const http::Forwarding& forwarding, std::size_t length) {
  const config::Mirror& options = *runtime_->config().routes[route_].mirror;
  if (is_upgrade_ || context_.request_ids.next_word() % 100 >= options.percent) return;
  mirror_ = std::make_unique<Mirror>(context_, runtime_, pool, options.max_body.bytes);
  const bool has_room = context_.mirrors.size() < Mirror::kMost;
  if (!has_room || !mirror_->copy_head(forwarding, length)) return drop_mirror();
  if (is_request_done_) context_.mirrors.adopt(std::move(mirror_));
}

void Exchange::drop_mirror() {
  mirror_.reset();
  context_.board.worker(context_.index).dropped_mirrors.fetch_add(1, std::memory_order_relaxed);
}

void Exchange::mirror_body(const http::BodyPiece& piece) {
  if (!mirror_->copy_body(piece.data)) return drop_mirror();
  if (piece.is_last) context_.mirrors.adopt(std::move(mirror_));
}

}  // namespace gatehouse::l7
