// Where an exchange belongs by what its client brings: which of a route's pools, and what the client keeps of
// it.
#include "l7/backend/hash_policy.h"
#include "l7/backend/pool.h"
#include "l7/client_connection.h"
#include "l7/exchange.h"
#include "l7/http/cookie.h"
#include "l7/route_conditions.h"
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
  if (!pool_) {
    Arms& arms = *runtime_->arms_of(route_);
    const bool is_kept = plan.sticky() && context_.cookies.is_set();
    pool_ = arms.choose(is_kept ? find_place(*plan.sticky(), arms) : arms.next_place());
  }
  if (!pool_) return false;
  if (pool_->affinity() && context_.cookies.is_set()) find_bound(*pool_->affinity());
  if (pool_->config().hash) hash_ = hash_by(*pool_->config().hash);
  return true;
}

std::uint64_t Exchange::find_place(const OwnCookie& cookie, Arms& arms) {
  const OwnCookie::Found found =
      cookie.find(context_.request.fields, context_.cookies, context_.clock.seconds());
  sets_sticky_ = is_replaced(found, context_.board.worker(context_.index));
  place_ = found.kind == OwnCookie::Found::Kind::kGood ? found.value : arms.next_place();
  return place_;
}

void Exchange::find_bound(const OwnCookie& cookie) {
  const OwnCookie::Found found =
      cookie.find(context_.request.fields, context_.cookies, context_.clock.seconds());
  is_affinity_due_ = is_replaced(found, context_.board.worker(context_.index));
  is_bound_known_ = found.kind == OwnCookie::Found::Kind::kGood;
  if (is_bound_known_) holds_.add(bound_ = pool_->find(found.value));
}

// nullopt: the request has none of it, and goes to whoever is next.
std::optional<std::uint64_t> Exchange::hash_by(const config::Hash& hash) const {
  const http::Request& request = context_.request;
  if (hash.client) return hash_of(true_client_address());
  if (hash.path) return hash_of(request.path);
  std::optional<std::uint64_t> found;
  const auto take = [&found](std::string_view value) {
    found = hash_of(value);
    return true;
  };
  if (!hash.cookie.empty()) http::any_cookie(request.fields, hash.cookie, take);
  if (!hash.query.empty()) any_parameter(request.query, hash.query, take);
  const http::Field* field = hash.header.empty() ? nullptr : request.fields.find(hash.header);
  if (field) take(field->value);
  return found;
}

Backend* Exchange::choose() {
  Backend* chosen = pool_->choose(Wish{{tried_.data(), tried_count_}, bound_, hash_});
  holds_.add(chosen);
  keeps_bound_ = pool_->was_bound_full();
  const bool moves = chosen && is_bound_known_ && chosen != bound_ && !keeps_bound_;
  if (moves && !std::exchange(has_moved_, true))
    context_.board.worker(context_.index).affinity_moves.fetch_add(1, std::memory_order_relaxed);
  return chosen;
}

// What the route and we ourselves change of a response's fields; nullptr: nothing.
const http::FieldEdits* Exchange::response_edits() const {
  RouteScratch& scratch = context_.route_scratch;
  const RoutePlan& plan = runtime_->plan_of(route_);
  const http::FieldEdits* edits = nullptr;
  if (!plan.response_fields().is_empty()) edits = &scratch.edits.expand(plan.response_fields(), facts());
  const auto set = [&](const OwnCookie& cookie, std::uint64_t value, std::string& text) {
    if (!edits) scratch.edits.clear();
    cookie.write(text, value, context_.cookies, context_.clock.seconds(), context_.request_ids.next_word(),
                 listener_->tls != nullptr);
    edits = &scratch.edits.add({"Set-Cookie", text});
  };
  if (sets_sticky_) set(*plan.sticky(), place_, scratch.sticky_cookie);
  // Of a backend's answer only: what we answer ourselves binds nobody.
  if (!backend_ || !pool_->affinity() || !context_.cookies.is_set()) return edits;
  const Backend* home = keeps_bound_ ? bound_ : chosen_;
  if (home != bound_ || is_affinity_due_)
    set(*pool_->affinity(), pool_->key_of(*home), scratch.affinity_cookie);
  return edits;
}

}  // namespace gatehouse::l7
