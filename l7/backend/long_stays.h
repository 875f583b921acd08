// What may stay with a backend for days: WebSockets, gRPC calls, relayed connections. Those of a pool with
// end_when_down are in the list of their backend, so that they can be told when it goes down; nobody else is
// in any. A stay is a link in who stays: nothing is allocated.
#pragma once

#include "common/check.h"

namespace gatehouse::l7 {

class LongStays;

class LongStay {
 public:
  LongStay() = default;
  LongStay(const LongStay&) = delete;
  ~LongStay() { leave(); }

  // Calls (owner->*Method)() when the backend goes down; by then it has left.
  template <auto Method, typename Owner>
  void join(LongStays& stays, Owner* owner) {
    join(stays, owner, [](void* object) { (static_cast<Owner*>(object)->*Method)(); });
  }
  inline void leave();  // harmless when it is in none

 private:
  friend class LongStays;
  using Callback = void (*)(void* owner);
  inline void join(LongStays& stays, void* owner, Callback callback);

  LongStays* stays_ = nullptr;
  LongStay* next_ = nullptr;
  LongStay* previous_ = nullptr;
  void* owner_ = nullptr;
  Callback callback_ = nullptr;
};

class LongStays {
 public:
  LongStays() = default;
  LongStays(const LongStays&) = delete;
  ~LongStays() { GH_CHECK(first_ == nullptr); }

  void end_all() {
    while (LongStay* stay = first_) {
      stay->leave();
      stay->callback_(stay->owner_);
    }
  }

 private:
  friend class LongStay;
  LongStay* first_ = nullptr;
};

void LongStay::join(LongStays& stays, void* owner, Callback callback) {
  leave();
  stays_ = &stays;
  owner_ = owner;
  callback_ = callback;
  previous_ = nullptr;
  next_ = stays.first_;
  if (next_) next_->previous_ = this;
  stays.first_ = this;
}

void LongStay::leave() {
  if (!stays_) return;
  (previous_ ? previous_->next_ : stays_->first_) = next_;
  if (next_) next_->previous_ = previous_;
  stays_ = nullptr;
}

}  // namespace gatehouse::l7
