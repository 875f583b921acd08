// Where an exchange belongs by what its client brings: which of a route's pools, and what the client keeps of
// it.
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/worker_context.h"

namespace gatehouse::l7 {
namespace {

// Whether a cookie that is none, or not good, is to be replaced; what is not good is counted.
bool is_replaced(const OwnCookie::Found& found, WorkerCell& cell) {
  using Kind = OwnCookie::Found::Kind;
  if (found.kind == Kind::kForged) cell.forged_cookies.fetch_add(1, std::memory_order_relaxed);
  if (found.kind == Kind::kOld) cell.old_cookies.fetch_add(1, std::memory_order_relaxed);
  return found.kind != Kind::kGood || found.is_due;
}

}  // namespace

bool Exchange::choose_pool(const RoutePlan& plan) {
  pool_ = runtime_->pool_of(route_);
  if (pool_) return true;
  Arms& arms = *runtime_->arms_of(route_);
  const bool is_kept = plan.sticky() && context_.cookies.is_set();
  pool_ = arms.choose(is_kept ? find_place(*plan.sticky(), arms) : arms.next_place());
  return pool_ != nullptr;
}

std::uint64_t Exchange::find_place(const OwnCookie& cookie, Arms& arms) {
  const OwnCookie::Found found =
      cookie.find(context_.request.fields, context_.cookies, context_.clock.seconds());
  sets_sticky_ = is_replaced(found, context_.board.worker(context_.index));
  place_ = found.kind == OwnCookie::Found::Kind::kGood ? found.value : arms.next_place();
  return place_;
}

// What the route and we ourselves change of a response's fields; nullptr: nothing.
const http::FieldEdits* Exchange::response_edits() const {
  RouteScratch& scratch = context_.route_scratch;
  const RoutePlan& plan = runtime_->plan_of(route_);
  const http::FieldEdits* edits = nullptr;
  if (!plan.response_fields().is_empty()) edits = &scratch.edits.expand(plan.response_fields(), facts());
  if (sets_sticky_) {
    if (!edits) scratch.edits.clear();
    plan.sticky()->write(scratch.sticky_cookie, place_, context_.cookies, context_.clock.seconds(),
                         context_.request_ids.next_word(), listener_->tls != nullptr);
    edits = &scratch.edits.add({"Set-Cookie", scratch.sticky_cookie});
  }
  return edits;
}

}  // namespace gatehouse::l7
