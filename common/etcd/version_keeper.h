// The site's version of the config in etcd: one key, changed by compare-and-swap, so that of two L4 hosts
// that cannot hear each other only one gives out the next number, and a host that was away while the others
// died finds what they agreed on. While the store is away everything stays as it is, and a change is refused
// unless the operator goes on without it; when it is back, the higher version holds, here or there.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/config/model.h"
#include "common/etcd/client.h"
#include "common/versions/version.h"

namespace gatehouse::etcd {

// Of [store]; an Error names the password's file.
Result<Options> options_of(const config::Store& store);

class VersionKeeper {
 public:
  struct Host {
    std::function<const std::optional<versions::Version>&()> committed;
    std::function<void(const versions::Version&)> take;  // what the store has and this host has not
  };
  VersionKeeper(EventLoop& loop, Options options, std::string key, Host host);

  // Before it is committed anywhere. An Error: it must not be; though the store may have taken it when the
  // answer was lost, and then all hosts come to it.
  void publish(const versions::Version& version, bool absent_ok, std::function<void(Status)> done);

  // Why the store cannot be asked; empty: it can.
  const std::string& problem() const { return problem_; }

 private:
  void on_change(const Result<Entry>& entry);
  void note(const std::string& problem);
  void give_ours();

  Client client_;
  std::string key_;
  Host host_;
  std::string problem_ = "it has not answered yet";
  versions::VersionId there_;
  std::int64_t revision_ = 0;
  bool is_giving_ = false;
  std::unique_ptr<Follower> follower_;
};

}  // namespace gatehouse::etcd
