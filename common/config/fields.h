// Every option of the config, declared once: name, member, bounds, one line of documentation. Parser, validator and the
// reference page all walk these tables; the default is the member's initialiser in model.h.
#pragma once

#include "common/config/fields_affinity.h"
#include "common/config/fields_bgp.h"
#include "common/config/fields_discovery.h"
#include "common/config/fields_http.h"
#include "common/config/fields_protection.h"
#include "common/config/fields_resilience.h"
#include "common/config/fields_routes.h"
#include "common/config/fields_service.h"
#include "common/config/fields_site.h"
#include "common/config/fields_tls.h"

namespace gatehouse::config {

template <>
inline constexpr auto kFields<Config> = std::tuple{
    field("site", &Config::site, "The site as a whole."),
    field("vip", &Config::vips, "A virtual address, protocol and port that clients connect to."),
    field("l4_host", &Config::l4_hosts, "A host that runs gatehouse-l4."),
    field("node", &Config::nodes, "A host that runs gatehouse-l7 behind the L4 hosts."),
    field("ring", &Config::ring, "The Maglev rings."),
    field("balance", &Config::balance, "Weights that follow the load of the nodes."),
    field("probe", &Config::probe, "Probes of the nodes through the tunnel."),
    field("control", &Config::control, "Mutual TLS of the control protocol between hosts."),
    field("metrics", &Config::metrics, "Where Prometheus finds the metrics of the daemons."),
    field("store", &Config::store, "An etcd in which L4 hosts keep the site's version of the config. Without this section: on their disks alone."),
    field("workers", &Config::workers, "Worker processes of a node."),
    field("protection", &Config::protection, "What keeps floods and forgeries from VIPs and nodes."),
    field("prefix_list", &Config::prefix_lists, "Prefixes of sources whose packets are dropped, or are not."),
    field("source_limit", &Config::source_limits, "How many packets and SYNs a source may send."),
    field("tls", &Config::tls, "TLS of a node as a whole."),
    field("cookies", &Config::cookies, "The cookies that we set ourselves: route.sticky, pool.affinity."),
    field("listener", &Config::listeners, "Where requests enter."),
    field("countries", &Config::countries, "How the country of a client is known: by its address, or by what a proxy says of it."),
    field("route", &Config::routes, "What a request matches. Most specific first, never by file order."),
    field("tls_route", &Config::tls_routes, "Where a TLS connection goes undecrypted, by its server name (SNI). Most specific first."),
    field("pool", &Config::pools, "A named set of servers of one service."),
    field("access_log", &Config::access_log, "One line per exchange."),
    field("service", &Config::services, "VIPs whose servers run nothing of ours: DNS, databases, mail."),
    field("flow_cache", &Config::flow_cache, "The memory of flows that services share."),
    field("bgp", &Config::bgp, "L4 hosts announce the VIPs, by way of BIRD or FRR. Without this section they do not."),
};

// Calls visit(field) for each option of T.
template <typename T, typename Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&visit](const auto&... fields) { (visit(fields), ...); }, kFields<T>);
}

}  // namespace gatehouse::config
