// What an L4 host that has the site's authority does with it: makes tokens for the operator, lets strangers
// join who bring one, and renews the certificates of hosts that are there. The authority is read anew each
// time: it may have been rotated.
//
//   token  CLI → L4 host       {role, name, seconds} → {token, seconds}
//   join   stranger → L4 host  {secret, name, request, time} → {chain, ca, config, version}: a host's
//   certificate, and what the site runs renew  host → L4 host      {request} → {chain, ca}; of an L4 host's
//   certificate that says who asks
//
// Who may join stands in the config: a name that is not in it, or that of a host that is there, is refused.
// Nothing that is refused changes anything; each is logged and an event, and who is refused often must wait.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/model.h"
#include "common/identity/site_authority.h"
#include "common/identity/token_store.h"
#include "common/result.h"

namespace gatehouse::identity {

class JoinDesk {
 public:
  static constexpr int kRefusals = 10;                    // in a row, from one address (IPv6: one /64)
  static constexpr std::int64_t kSecondsPerRefusal = 12;  // then one each
  static constexpr std::size_t kMostSources = 1024;
  static constexpr std::int64_t kLargestSkew = 120;  // seconds between clocks

  struct Host {
    std::string name;  // this L4 host
    std::function<const config::Config&()> config;
    std::function<std::uint64_t()> version;  // of it; 0: none
    std::function<bool(Role role, const std::string& name)> is_there;
  };
  using Clock = TokenStore::Clock;
  explicit JoinDesk(Host host, Clock clock = {});

  bool has_authority() const;
  // Of the authority as it is now; empty: there is none here, or it is not usable.
  std::string pin();
  // Whether strangers may ask: somebody could have a token.
  bool is_open();
  Result<nlohmann::json> make_token(const nlohmann::json& params);
  Result<nlohmann::json> join(const std::string& peer, const nlohmann::json& params);
  // Of a host that has proved its name.
  Result<nlohmann::json> renew(Role role, const std::string& name, const nlohmann::json& params);

 private:
  struct Request;
  TokenStore& tokens();
  Result<nlohmann::json> take(const std::string& peer, const nlohmann::json& params, std::string& who);
  Status check_name(Role role, const std::string& name) const;
  Result<Issued> issue(const std::string& request, Role role, const std::string& name) const;
  bool may_ask(const std::string& source);
  void note_refusal(const std::string& source);

  struct Source {
    int refusals = 0;
    std::int64_t since = 0;
  };
  Host host_;
  Clock clock_;
  std::string folder_;
  std::unique_ptr<TokenStore> tokens_;
  std::map<std::string, Source> sources_;
  std::string pin_, pin_file_;  // and the file's state when it was read
};

}  // namespace gatehouse::identity
