// One host's part in a change of the config: what it agrees to, and what it does when it hears the decision.
//
//   version_check    {text}                   would this host take it? Nothing is kept
//   version_prepare  {a version, supersede}   it would, and has it on disk: from now on it waits for a decision
//   version_commit   {number, digest}         the decision: what was prepared is in use
//   version_abort    {number, digest}         the other one: what was prepared is forgotten
//   version_take     {a version}              committed by others while this host was away: in use
//
// The answer is {} or why not. A host that has prepared goes on with what it has until it hears: it may not
// presume anything by itself. `supersede` is the operator's word that the coordinator it waits for will not be
// waited for. It never goes back to a lower version.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/control/channel.h"
#include "common/versions/version_store.h"

namespace gatehouse::versions {

class Participant {
 public:
  // Puts what was prepared into use; answers when it is, or why it is not. Called at most once.
  using Switch = std::function<void(control::Reply)>;
  struct Host {
    std::string name;
    // Checks everything that could keep this host from using `text` and changes nothing.
    std::function<Result<Switch>(const std::string& text)> prepare;
    std::function<std::string()> text;  // what is in use
    std::function<void()> on_change;    // state() is another; may be empty
  };
  // `store` outlives it. What it has committed is in use already.
  Participant(VersionStore& store, Host host);
  Participant(const Participant&) = delete;

  static bool takes(std::string_view method);
  // `from`: the L4 host that asks, by its certificate.
  void on_request(const std::string& from, std::string_view method, const control::Json& params,
                  control::Reply reply);

  VersionState state() const;
  const VersionStore& store() const { return store_; }

  // What the requests do; a coordinator does them with itself.
  Status check(const std::string& text);
  Status prepare(const Version& version, bool supersedes);
  void commit(const VersionId& id, control::Reply reply);
  Status abort(const VersionId& id);
  void take(const Version& version, control::Reply reply);

 private:
  void switch_over(Switch switch_to, control::Reply reply);
  void remember_file(const Version& first, const std::string& text_before);
  void tell() const;

  VersionStore& store_;
  Host host_;
  Switch ready_;         // for what is prepared; none after a restart
  std::string problem_;  // why what is committed is not in use
  bool is_switching_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace gatehouse::versions
