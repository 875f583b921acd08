// What both daemons do about versions of the config, in one piece: the config to begin with, this host's part in changes,
// the changes that it leads, what operators ask. A daemon provides how a config is checked and used, and the channels.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/config/load.h"
#include "common/versions/coordinator.h"
#include "common/versions/requests.h"

namespace gatehouse::versions {

class HostVersions {
 public:
  // Reads the folder; changes nothing in it but that damaged files are put aside, which the log says.
  static Result<std::unique_ptr<HostVersions>> open(const std::string& folder);
  HostVersions(const HostVersions&) = delete;

  // The version that was committed last; the file when there is none.
  config::Loaded load(const std::string& file) const;
  // Whether a daemon may use this text without asking anybody: not when it is another than the committed version's.
  Status check_reload(const config::Config& config) const;

  // From the moment on when the daemon can take part. `why_no_changes`: why none can be led from here; empty: it can.
  struct Daemon {
    std::string name;
    std::string why_no_changes;
    std::function<Result<Participant::Switch>(const std::string& text)> prepare;
    std::function<const config::Config&()> config;  // in use
    std::function<void()> on_change;
    std::function<void(const Version&, bool absent_ok, std::function<void(Status)> done)> publish;  // as Coordinator::Site has it
  };
  void serve(EventLoop& loop, Daemon daemon);

  VersionState state() const { return participant_ ? participant_->state() : VersionState(); }
  Participant& participant() { return *participant_; }
  Coordinator& coordinator() { return *coordinator_; }
  Requests& requests() { return *requests_; }

 private:
  explicit HostVersions(std::unique_ptr<VersionStore> store) : store_(std::move(store)) {}

  std::unique_ptr<VersionStore> store_;
  std::unique_ptr<Participant> participant_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Requests> requests_;
};

}  // namespace gatehouse::versions
