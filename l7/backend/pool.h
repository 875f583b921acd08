// A pool of the current snapshot: its members as this worker sees them, the choice among them, and what the
// pool as a whole allows: its limits, its retry budget, and what happens when too few members are healthy
// (panic). Members are looked at when the board says that something has changed: see choice.cc; what their
// requests make of them is in verdicts.cc.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/config/model.h"
#include "l7/backend/adaptive_limit.h"
#include "l7/backend/balancer.h"
#include "l7/backend/pool_queue.h"
#include "l7/own_cookie.h"
#include "l7/proxy_protocol.h"

namespace gatehouse::l7 {

struct ShedReason;

class Pool {
 public:
  // Workers begin their turns at different members (`worker`), so that the first requests of many do not meet
  // at one. `zone`: of this node.
  Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker,
       const TlsClientContext& tls = {}, std::string_view zone = {}, const SourceAddresses& sources = {});

  const config::Pool& config() const { return config_; }
  // Another set of members, from the next choice on. Those that stay keep all that is known of them, connections
  // too; those that went finish what they were asked.
  void set_members(std::span<const config::Backend> backends);
  bool speaks_h2() const { return speaks_h2_; }
  ProxyVersion proxy_version() const {
    return proxy_version_;
  }  // of the header that its connections begin with
  // A healthy member that is not in `tried` and has room: the bound one, else whom the policy says. Backups come after all others; one that refused a connection lately only when there is no
  // other, one that is ejected only instead of nobody at all. In panic any member, or none, as config says.
  // nullptr: nobody is left.
  Backend* choose(const Wish& wish);
  Backend* choose(std::span<Backend* const> tried) { return choose(Wish{tried, nullptr, std::nullopt}); }
  // nullptr: it is not in panic, or has none.
  const config::PanicAnswer* panic_answer() const { return is_refusing_ && config_.panic_answer ? &*config_.panic_answer : nullptr; }
  bool was_full() const { return was_full_; }  // the last choice found nobody for want of room
  bool was_bound_full() const {
    return was_bound_full_;
  }  // and the bound one, but for that, would have been it

  // nullptr: clients do not stay with a backend.
  const OwnCookie* affinity() const { return affinity_ ? &*affinity_ : nullptr; }
  // What the cookie says of a backend; nullptr: that is none of its members.
  std::uint64_t key_of(const Backend& backend) const;
  Backend* find(std::uint64_t key) const;

  // What an exchange made of a member. It may be ejected for that, or come back.
  // From the end of the request to the head of its answer; what is no real answer says nothing about its time.
  void note_wait(Backend& backend, EventLoop::Clock::time_point since, bool is_real = true);
  void note_success(Backend& backend);
  void note_failure(Backend& backend, bool counts_for_ejection = true);

  // What is to be done although no request asks: see upkeep.h.
  bool wants_upkeep() const { return config_.min_idle > 0 || config_.end_when_down; }
  void keep_up();

  // Of the limits; each entrance is to be followed by its leave.
  const ShedReason* enter(PriorityClass priority);  // one more request; nullptr: it is in
  void leave();
  bool counts_asking() const { return adaptive_.has_value(); }  // then it is asking as well
  void end_asking();  // it has got the head of its answer, or leaves
  PoolQueue* queue() const { return queue_ ? queue_->get() : nullptr; }  // nullptr: nobody waits for a place
  LatencyCell* latency() const { return latency_; }  // nullptr: not timed
  bool begin_waiting();      // for a connection
  void end_waiting();
  // Whether a retry may be made; it is paid for. Each request that is sent earns a part of one.
  void earn_retries();
  bool take_retry();

 private:
  enum class Rank : std::uint8_t {
    kGood,
    kGoodBackup,
    kAvoided,  // or degraded
    kAvoidedBackup,
    kEjected,
    kEjectedBackup,
    kNot
  };
  // Of our own zone, or of all others.
  struct Group {
    std::unique_ptr<Policy> policy;
    std::vector<Candidate> candidates;
  };
  Member make_member(const Endpoint& address);
  void make_policies();
  bool is_look_due() const;
  void look();
  void end_stays();
  void refresh(Member& member);
  void warm_up(Member& member, std::int64_t since);
  Rank rank_of(const Member& member, bool is_panic);
  void find_near_share(Rank best);
  bool goes_far(const Wish& wish);
  std::size_t choose_by_policy(Occasion& occasion);
  Backend* choose_for_trial(const Wish& wish);
  EventLoop::Clock::time_point trial_due(const BackendCell& cell) const;
  Backend* choose_bound(const Wish& wish);
  std::size_t choose_among_all(Occasion& occasion);
  bool is_panic();
  bool has_too_few(bool backups, std::size_t& all, std::size_t& healthy) const;
  void count_answer(BackendCell& cell, bool is_failure);
  void judge();
  void put_out(Backend& backend, EjectionReason reason, std::string_view why);
  bool has_too_many_ejected() const;

  const config::Pool& config_;
  WorkerContext& context_;
  TlsClientContext tls_;
  SourceAddresses sources_;
  std::string zone_;     // ours; empty: zones do not matter
  std::uint32_t first_;  // member with which the next policies begin
  bool speaks_h2_;
  bool has_backups_ = false;
  bool counts_requests_;  // in flight, over all workers
  bool is_timed_;         // for its policy
  bool is_judged_;        // its members are compared with each other
  bool has_zones_ = false;
  bool was_full_ = false;
  bool was_bound_full_ = false;
  ProxyVersion proxy_version_;
  std::optional<OwnCookie> affinity_;
  std::unique_ptr<PoolCell> own_cell_;  // when the board is full: then for this worker alone
  PoolCell* cell_;
  LatencyCell* latency_;
  std::optional<QueuePin> queue_;
  std::optional<AdaptiveLimit> adaptive_;
  std::vector<Member> members_;
  Group near_, far_;
  // Of the last look, and what it saw.
  double near_share_ = 1;  // of requests
  double far_credit_ = 0;
  EventLoop::Clock::time_point next_trial_{};  // of one that is ejected
  EventLoop::Clock::time_point next_judgement_{};
  bool is_refusing_ = false;  // in panic
  std::uint64_t version_ = 0, avoidances_ = 0;
  std::uint64_t kept_version_ = 0;  // of the last keep_up()
  EventLoop::Clock::time_point next_look_{};
};

}  // namespace gatehouse::l7
