// The site's own certificate authority: a key in a folder that only root can read, on one L4 host or on
// copies of the folder on several. It signs the identities by which the hosts of the site know each other:
// certificates whose common name is the host's name. Nodes may only dial in with theirs; those of L4 hosts
// serve, too, so that no node can pass for one.
//
// Everything is in one file, so that it is replaced whole: the key, the authority's certificate and, while it
// takes over from an earlier one, that one's certificate and our key certified by it. Hosts then trust both,
// and chains show the way from either.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/openssl_ptr.h"
#include "common/result.h"

namespace gatehouse::identity {

enum class Role { kNode, kL4Host };
std::string_view to_string(Role role);  // "node", "l4"
std::optional<Role> parse_role(std::string_view text);

struct Issued {
  std::string chain;  // PEM: the certificate, then what leads to an authority that hosts trust
  std::string ca;     // PEM: the authorities to be trusted
};

class SiteAuthority {
 public:
  using Time = std::chrono::system_clock::time_point;

  // An Error when there is one already.
  static Status create(const std::string& folder, const std::string& site);
  static Result<SiteAuthority> open(const std::string& folder);
  // An authority with a new key takes over from the one in `folder`, which is trusted on until finish().
  static Status rotate(const std::string& folder, const std::string& site);
  static Status finish(const std::string& folder);
  static bool is_there(const std::string& folder);
  static std::string file_of(const std::string& folder) { return folder + "/authority.pem"; }

  // Of its public key: SHA-256 in hexadecimal digits, by which a host that joins knows it.
  std::string pin() const { return pin_; }
  Time expiry() const;
  bool is_taking_over() const { return !earlier_.empty(); }

  // `request` must be good for `name` (check_request). It says which key, nothing else.
  Result<Issued> issue(std::string_view request, const std::string& name, Role role,
                       std::chrono::seconds lifetime) const;

 private:
  SiteAuthority() = default;
  std::string to_pem() const;

  PrivateKeyPtr key_;
  X509Ptr certificate_;
  std::vector<X509Ptr> earlier_;    // authorities that are still trusted
  std::vector<X509Ptr> certified_;  // our key, certified by these
  std::string pin_;
};

}  // namespace gatehouse::identity
