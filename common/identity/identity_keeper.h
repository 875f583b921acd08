// This host's identity towards the others of its site, kept up to date: files that [control] names are read
// anew when they have changed, and a certificate of the site's own authority is renewed when two thirds of
// its life are over. Links that are open stay; those that begin later have the new one. What is wrong with a
// file is logged once, and the identity in use stays.
//
// Renewed is only what lies with its key in one file, which is replaced whole; the key is new each time and
// never leaves.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/model.h"
#include "common/control/channel.h"
#include "common/event_loop.h"
#include "common/result.h"

namespace gatehouse::identity {

class IdentityKeeper {
 public:
  // Asks whoever has the authority; the answer is {chain, ca}.
  using Ask = std::function<void(const std::string& request, control::Reply reply)>;
  IdentityKeeper(EventLoop& loop, Ask ask) : loop_(loop), ask_(std::move(ask)) {}

  // An Error changes nothing. Without [control] there is no identity.
  Status use(const config::Control& control);
  const std::shared_ptr<control::TlsIdentity>& identity() const { return identity_; }
  // The site's authority has this key now: one of another authority is renewed at once.
  void hear_authority(const nlohmann::json& params);
  // {expires, problem}; null without a certificate.
  nlohmann::json status() const;

 private:
  using Time = std::chrono::system_clock::time_point;
  struct Shown {
    std::string name, authority;  // its common name; the pin of who issued it
    Time renewal, expiry;
  };
  void on_second();
  void look_at_files();
  Status read();
  bool is_renewable() const { return control_.key.empty() || control_.key == control_.certificate; }
  void renew();
  Status take(const nlohmann::json& answer, const std::string& key);
  void note(const std::string& problem);
  static std::string state_of_files(const config::Control& control);
  static Result<Shown> describe(const config::Control& control);

  EventLoop& loop_;
  Ask ask_;
  config::Control control_;
  std::shared_ptr<control::TlsIdentity> identity_;
  Shown shown_;
  std::string files_, files_before_;  // as they were read; as they were a second ago
  std::string problem_;
  bool is_asking_ = false;
  Time next_try_{};
  Timer second_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace gatehouse::identity
