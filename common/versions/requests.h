// What operators ask of a daemon about versions of the config, and the watch that takes one back by itself.
//
//   apply     {text, comment, base, dry_run, absent_ok, watch: {seconds, rise, least}}
//             → {number, digest, hosts, notes}
//   rollback  {number, absent_ok} → the same; number 0: the version before the one in use
//   history   {} → {versions: [{number, digest, time, who, comment, state, …}], hosts, watch}
//   version   {number} → {number, digest, text, config_digest}; number 0: what is in use
//
// A host that leads no change (a node behind L4 hosts) answers the last two.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "common/versions/coordinator.h"
#include "common/versions/error_watch.h"
#include "common/versions/participant.h"

namespace gatehouse::versions {

class Requests {
 public:
  struct Host {
    std::function<const config::Config&()> config;  // in use
    std::string why_not_here;                       // why no change can be led by this host; empty: it can
  };
  // Both outlive it.
  Requests(Participant& self, Coordinator& coordinator, Host host);

  static bool takes(std::string_view method);
  // `who`: for the history.
  void on_request(const std::string& who, std::string_view method, const control::Json& params,
                  control::Reply reply);

  ErrorRate& rate() { return rate_; }
  void on_second();

 private:
  void apply(const std::string& who, const control::Json& params, control::Reply reply);
  void rollback(const std::string& who, const control::Json& params, control::Reply reply);
  Result<Version> version_before(const VersionId& id) const;
  Result<Change> change_back(std::uint64_t number) const;
  void roll_back_by_itself(const std::string& trouble);
  control::Json history() const;
  control::Reply watching(const WatchBounds& bounds, control::Reply reply);
  Result<control::Json> version(std::uint64_t number) const;

  Participant& self_;
  Coordinator& coordinator_;
  Host host_;
  ErrorRate rate_;
  ErrorWatch watch_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// "uid 0 (root)".
std::string name_of_user(unsigned uid);

}  // namespace gatehouse::versions
