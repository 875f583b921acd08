// The part of the config model that is about routes: see model.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::config {

struct Route {
  std::string name;
  std::vector<std::string> hosts;       // exact or "*.suffix"; none: any host
  std::string path;                     // exact
  std::string path_prefix;              // whole segments: "/api" matches "/api" and "/api/x", not "/apix"
  std::string pool;
  std::int32_t priority = 0;            // higher first, before specificity
  std::string hsts;                     // in place of the listener's
  bool early_data = false;              // safe to be replayed: taken as TLS early data
};

// Where a connection of a passthrough listener goes, by the server name of its ClientHello.
struct TlsRoute {
  std::string name;
  std::vector<std::string> hosts;       // exact or "*.suffix"
  std::string pool;
};

}  // namespace gatehouse::config
