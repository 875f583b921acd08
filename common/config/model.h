// The site config as plain structs: what one TOML file says about a whole site. Defaults are the member
// initialisers. common/config/fields.h gives every member its name, bounds and one-line doc; parser, validator and
// the reference page are made from that table, so a new option is one member here and one line there.
//
// A Config is immutable once loaded. References between sections are by name and have been checked by validate().
#pragma once

#include "common/config/model_affinity.h"
#include "common/config/model_bgp.h"
#include "common/config/model_http.h"
#include "common/config/model_protection.h"
#include "common/config/model_routes.h"
#include "common/config/model_service.h"
#include "common/config/model_site.h"
#include "common/config/model_tls.h"

namespace gatehouse::config {

struct Config {
  Config();
  Config(const Config& other);
  Config(Config&& other) noexcept;
  Config& operator=(const Config& other);
  Config& operator=(Config&& other) noexcept;
  ~Config();

  Site site;
  std::vector<Vip> vips;
  std::vector<L4Host> l4_hosts;
  std::vector<Node> nodes;
  Ring ring;
  Balance balance;
  Probe probe;
  Control control;
  Metrics metrics;
  std::optional<Store> store;  // none: disks are enough
  Workers workers;
  Protection protection;
  std::vector<PrefixList> prefix_lists;
  std::vector<SourceLimit> source_limits;
  Tls tls;
  Cookies cookies;
  std::vector<Listener> listeners;
  Countries countries;
  std::vector<Route> routes;
  std::vector<TlsRoute> tls_routes;
  std::vector<Pool> pools;
  AccessLog access_log;
  std::vector<Service> services;
  FlowCache flow_cache;
  std::optional<Bgp> bgp;  // none: somebody else announces the VIPs

  std::string text;      // the file as it was read: what is sent to other hosts
  std::string file;      // for messages only
  std::uint64_t digest = 0;  // of `text`; equal on hosts that run the same config
};

}  // namespace gatehouse::config
