// A pool of the current snapshot: its members as this worker sees them, the choice among them, and what the
// pool as a whole allows: its limits, its retry budget, and what happens when too few members are healthy
// (panic). What is set at run time of members is looked at when the board says that something has changed.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/config/model.h"
#include "l7/backend/balancer.h"
#include "l7/backend/hash_policy.h"
#include "l7/own_cookie.h"
#include "l7/proxy_protocol.h"

namespace gatehouse::l7 {

// What a request says about who should answer it.
struct Wish {
  std::span<Backend* const> tried;  // these have failed it
  Backend* bound = nullptr;         // its client's, by affinity
  std::optional<std::uint64_t> hash;
};

class Pool {
 public:
  // Workers begin their turns at different members (`worker`), so that the first requests of many do not meet
  // at one.
  Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker,
       const TlsClientContext& tls = {});

  const config::Pool& config() const { return config_; }
  // Another set of members, from the next choice on. Those that stay keep all that is known of them, connections
  // too; those that went finish what they were asked.
  void set_members(std::span<const config::Backend> backends);
  bool speaks_h2() const { return speaks_h2_; }
  ProxyVersion proxy_version() const {
    return proxy_version_;
  }  // of the header that its connections begin with
  // A healthy member that is not in `tried` and has room: the bound one, else the first by hash, else the
  // next in turn. Backups come after all others; one that refused a connection lately only when there is no
  // other, one that is ejected only instead of nobody at all. In panic any member, or none, as config says.
  // nullptr: nobody is left.
  Backend* choose(const Wish& wish);
  Backend* choose(std::span<Backend* const> tried) { return choose(Wish{tried, nullptr, std::nullopt}); }
  bool was_full() const { return was_full_; }  // the last choice found nobody for want of room
  bool was_bound_full() const {
    return was_bound_full_;
  }  // and the bound one, but for that, would have been it

  // nullptr: clients do not stay with a backend.
  const OwnCookie* affinity() const { return affinity_ ? &*affinity_ : nullptr; }
  // What the cookie says of a backend; nullptr: that is none of its members.
  std::uint64_t key_of(const Backend& backend) const;
  Backend* find(std::uint64_t key) const;

  // What an exchange made of a member. A failure in a row too many ejects it.
  void note_success(Backend& backend);
  void note_failure(Backend& backend, bool counts_for_ejection = true);

  // Of the limits; each true one is to be followed by its leave.
  bool enter();  // one more request
  void leave();
  LatencyCell* latency() const { return latency_; }  // nullptr: not timed
  bool begin_waiting();  // for a connection
  void end_waiting();
  // Whether a retry may be made; it is paid for.
  bool take_retry();

 private:
  enum class Rank : std::uint8_t {
    kGood,
    kGoodBackup,
    kAvoided,
    kAvoidedBackup,
    kEjected,
    kEjectedBackup,
    kNot
  };
  void refresh();
  void rebuild_hash();
  void warm_up();
  Rank rank_members(const Wish& wish);
  Rank rank_of(const Member& member, const Wish& wish, bool is_panic);
  bool is_panic();
  bool has_too_few(bool backups, std::size_t& all, std::size_t& healthy) const;
  bool has_too_many_ejected() const;
  Member* choose_by_hash(std::uint64_t hash);
  bool has_load_left(const Member& member, std::uint64_t in_flight, std::uint64_t weight) const;

  const config::Pool& config_;
  WorkerContext& context_;
  TlsClientContext tls_;
  bool speaks_h2_;
  bool has_backups_ = false;
  bool counts_requests_;  // in flight, over all workers
  bool was_full_ = false;
  bool was_bound_full_ = false;
  ProxyVersion proxy_version_;
  std::optional<OwnCookie> affinity_;
  std::unique_ptr<PoolCell> own_cell_;  // when the board is full: then for this worker alone
  PoolCell* cell_;
  LatencyCell* latency_;
  std::vector<Member> members_;
  std::optional<HashPolicy> hash_;
  std::vector<HashedMember> hashed_;  // that hash_ was built of
  std::uint64_t version_ = 0;         // of the board
};

}  // namespace gatehouse::l7
