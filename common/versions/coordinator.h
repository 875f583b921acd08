// Leads a site from one version of its config to the next, in two phases: every host prepares, and only when
// all have agreed does any switch. The decision is the commit on the coordinator's own disk, before anybody
// is told: what it has not committed when it comes back has been aborted, and whoever waits for its word
// hears that.
//
// Hosts dial in to L4 hosts, and an L4 host dials in to the others, so that each of them can lead a change
// and knows where everybody stands. From a host that has another version than it should, this is how it comes
// to it:
//
//   it has prepared what is committed here      → it is told to commit, whoever led it
//   it has prepared another version of ours     → it is told to abort
//   it has committed less than this host has    → it is given our version
//
// So no message has to arrive: what gets lost is made good for with the next report. Nodes are never believed
// a config.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "common/versions/participant.h"

namespace gatehouse::versions {

// What somebody wants the config to be.
struct Change {
  std::string text;
  std::string who;
  std::string comment;
  std::uint64_t undoes = 0;
  std::optional<std::uint64_t>
      base;                // config::Config::digest that the change was made from; none: whatever there is
  bool is_trial = false;   // asks everybody, changes nothing
  bool absent_ok = false;  // goes on without hosts that are away or wait for one that is
};

class Coordinator {
 public:
  struct Site {
    std::function<const config::Config&()> config;  // in use here
    // Tells the site's store, which may refuse, before anybody commits; empty: there is none.
    std::function<void(const Version&, bool absent_ok, std::function<void(Status)> done)> publish;
    Duration patience{10'000};                      // for the answers of one phase
    Duration retry{5'000};                          // with a host that refused what is committed
  };
  // `self`: this host's own part; outlives it.
  Coordinator(EventLoop& loop, Participant& self, std::string name, Site site);
  Coordinator(const Coordinator&) = delete;
  ~Coordinator();

  // A host said hello; its channel stays until leave().
  void join(const std::string& host, control::Channel& channel, const VersionState& state);
  void hear(const std::string& host, const VersionState& state);
  void leave(const control::Channel& channel);

  // Answers {number, digest, hosts: {name: "ok" or why not}, notes: [...]}, or the reason why nothing has
  // changed anywhere.
  void change(Change change, control::Reply reply);
  bool is_busy() const { return round_ != nullptr; }
  // Where everybody stands, by name, this host included.
  control::Json hosts() const;

 private:
  struct Peer {
    control::Channel* channel = nullptr;
    VersionState state;
    std::string refusal;                        // of its last answer
    EventLoop::Clock::time_point not_before{};  // nothing that follows from its state is asked of it
  };
  struct Round;

  Result<std::shared_ptr<Round>> begin(Change& change);
  Status find_hosts(Round& round, const config::Config& next);
  Status check_base(const Change& change) const;
  std::uint64_t next_number() const;
  void ask_all(std::string_view method, control::Json params, void (Coordinator::*next)());
  void on_answer(const std::shared_ptr<Round>& round, const std::string& host,
                 const Result<control::Json>& answer);
  void on_patience_over();
  void next_phase();
  void decide();
  void commit();
  void finish();
  void abort(const std::string& reason);
  void end(Result<control::Json> answer);
  void reconcile(const std::string& host, Peer& peer);
  void tell(const std::string& host, std::string_view method, control::Json params);

  EventLoop& loop_;
  Participant& self_;
  std::string name_;
  Site site_;
  std::map<std::string, Peer> peers_;
  std::shared_ptr<Round> round_;
  Timer patience_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gatehouse::versions
