// What the checks of all backends of a pool have in common, made of its config once: what they say, over
// what, and what they make of it. Nothing of it changes; checks and talks share it.
#pragma once

#include <re2/re2.h>

#include <memory>
#include <string>

#include "common/config/model.h"
#include "l7/backend/dial.h"
#include "l7/proxy_protocol.h"
#include "l7/tls/client_context.h"

namespace gatehouse::l7 {

struct HealthPlan;
using SharedHealthPlan = std::shared_ptr<const HealthPlan>;

struct HealthPlan {
  // Of a config that is valid but for what its files hold: errors name the file.
  static Result<SharedHealthPlan> make(const config::Pool& pool, const TlsFiles& files, PrivateKeyReader& keys);

  std::string pool;
  config::Health health;
  ProxyVersion proxy_version;  // of the header that connections begin with
  SourceAddresses sources;     // that they come from
  TlsClientContext tls;        // where the pool speaks it, or its checks are of it
  bool speaks_h2 = false;
  std::unique_ptr<const re2::RE2> body_matches;  // nullptr: whatever it is
  std::string request, expect;                   // the bytes
  std::string fingerprint;                       // equal: who was checked by the one need not be by the other
};

}  // namespace gatehouse::l7
