// A pool of the current snapshot: its members as this worker sees them, the choice among them, and what the
// pool as a whole allows: its limits, its retry budget, and what happens when too few members are healthy
// (panic).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "common/config/model.h"
#include "l7/backend/balancer.h"
#include "l7/proxy_protocol.h"

namespace gatehouse::l7 {

class Pool {
 public:
  // Workers begin their turns at different members (`worker`), so that the first requests of many do not meet
  // at one.
  Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker,
       const TlsClientContext& tls = {});

  const config::Pool& config() const { return config_; }
  bool speaks_h2() const { return speaks_h2_; }
  ProxyVersion proxy_version() const {
    return proxy_version_;
  }  // of the header that its connections begin with
  // A healthy member that is not in `tried` and has room; one that refused a connection lately only when
  // there is no other, one that is ejected only instead of nobody at all. In panic any member, or none, as
  // config says. nullptr: nobody is left.
  Backend* choose(std::span<Backend* const> tried);
  bool was_full() const { return was_full_; }  // the last choice found nobody for want of room

  // What an exchange made of a member. A failure in a row too many ejects it.
  void note_success(Backend& backend);
  void note_failure(Backend& backend, bool counts_for_ejection = true);

  // Of the limits; each true one is to be followed by its leave.
  bool enter();  // one more request
  void leave();
  bool begin_waiting();  // for a connection
  void end_waiting();
  // Whether a retry may be made; it is paid for.
  bool take_retry();

 private:
  enum class Rank : std::uint8_t { kGood, kAvoided, kEjected, kNot };
  Rank rank_of(const Member& member, std::span<Backend* const> tried, bool is_panic);
  bool is_panic();
  bool has_too_many_ejected() const;

  const config::Pool& config_;
  WorkerContext& context_;
  bool speaks_h2_;
  bool was_full_ = false;
  ProxyVersion proxy_version_;
  std::unique_ptr<PoolCell> own_cell_;  // when the board is full: then for this worker alone
  PoolCell* cell_;
  std::vector<Member> members_;
};

}  // namespace gatehouse::l7
