// A pool of the current snapshot: its members as this worker sees them, and the choice among them.
#pragma once

#include <span>
#include <vector>

#include "common/config/model.h"
#include "l7/backend/balancer.h"
#include "l7/proxy_protocol.h"

namespace gatehouse::l7 {

class Pool {
 public:
  // Workers begin their turns at different members (`worker`), so that the first requests of many do not meet at one.
  Pool(const config::Pool& config, BackendSet& backends, std::uint32_t worker, const TlsClientContext& tls = {});

  const config::Pool& config() const { return config_; }
  bool speaks_h2() const { return speaks_h2_; }
  ProxyVersion proxy_version() const { return proxy_version_; }  // of the header that its connections begin with
  // A healthy member that is not in `tried`; one that refused a connection lately only when there is no other. nullptr:
  // nobody is left.
  Backend* choose(std::span<Backend* const> tried);

 private:
  const config::Pool& config_;
  bool speaks_h2_;
  ProxyVersion proxy_version_;
  std::vector<Member> members_;
};

}  // namespace gatehouse::l7
