// What is said over a control channel. L7 supervisors dial in to every L4 host; the command line dials in to either
// tier; workers talk to their supervisor. l4/ and l7/ meet here and nowhere else.
//
// method      from → to              kind      params → result
// hello       node → L4 host         request   Hello → {}            refused: unknown node id, wrong certificate name
// health      node → L4 host         notify    NodeReport            once a second and after every change
// hello_host  L4 host → L4 host      request   HostHello → {}        the same between L4 hosts: each dials in to the others
// versions    L4 host → L4 host      notify    VersionState          once a second and after every change
// version_*   L4 host → who dialled in  request  see versions/participant.h: a change of the config, in two phases
// weights     L4 host → node → other L4 hosts  notify  Weights   what load feedback decided; the node passes it on as it is
// drain       CLI → either, L4 → node  request {node, on: bool} → {} the node keeps the state and reports it to all
// scale       CLI → either, L4 → node  request {node, count: number, "auto" or "config", as text} → {workers: {configured, wanted, why, serving}}
// config      L4 host → node         request   {text} → {digest}     refused with all findings: nothing changes
// reload      CLI → either           request   {} → {digest, nodes}  re-reads the file; an L4 host passes it on to its nodes
// status      CLI → either           request   {} → SiteStatus       (as `gatehouse status --json` prints it)
// weight      CLI → either, L4 → node  request   {route, pool, weight} → {name, pools: [{name, weight, weight_now, share, requests}]}
// backend     CLI → either, L4 → node  request   {pool, address, action: drain|undrain|disable|enable|weight, weight} → BackendReport; an L4 host asks all: {nodes: [{node, answer or error}]}
// token, join, renew  see identity/join_desk.h   authority  L4 host → who dialled in  notify  {pin}   whose certificates are good from now on
// apply, rollback, history, version  CLI → either  request   see versions/requests.h
// explain     CLI → either           request   {method, url, headers, client} → {route, pool, why: [...]}; L4 asks a node
// explain_packet  CLI → L4 host      request   {source, vip} → {slot, hops, node, ...}
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <map>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "common/versions/version.h"

namespace gatehouse::control {

inline constexpr int kProtocolVersion = 1;

// Hosts of a site are upgraded one after another: the version before ours and the one after it are taken, no others.
Status check_protocol(int version);

struct Hello {
  int protocol = kProtocolVersion;
  std::uint16_t node = 0;         // config::Node::id
  std::string name;
  IpAddress address;
  std::string version;            // of the software
  std::uint64_t config_digest = 0;
  std::uint32_t workers = 0;
  std::optional<versions::VersionState> versions;  // earlier versions do not send it; so below
};

// Of an L4 host to another.
struct HostHello {
  int protocol = kProtocolVersion;
  std::string name;
  std::string version;            // of the software
  versions::VersionState versions;
};

struct WorkerReport {
  std::uint32_t index = 0;
  std::int32_t pid = 0;
  std::uint64_t restarts = 0;     // of this index, since the supervisor began
  std::uint64_t connections = 0;  // open client connections now
  std::uint64_t accepted = 0;     // since the worker began, as all below
  std::uint64_t requests = 0;
  std::uint64_t responses_5xx = 0;
  std::map<std::string, std::uint64_t> counts;  // of less common events, by name: "relays", "refused_clients", …
  std::uint64_t handshakes = 0;   // of TLS with clients, done
  std::uint64_t resumed = 0;      // of these
  std::uint64_t handshakes_failed = 0;
  std::string state;              // serving | starting | leaving | dead; earlier versions do not send it, nor what follows
  std::string version;            // of its program
};

struct BackendReport {
  std::string pool;
  Endpoint address;
  bool is_healthy = true;
  std::string reason;             // why not, in the words of the last failed check
  std::uint64_t requests = 0;
  std::uint64_t failures = 0;
  std::uint64_t in_flight = 0;
  bool is_ejected = false;        // by its failures, for a while
  std::uint64_t ejections = 0;
  std::map<std::string, std::uint64_t> ejected_for;  // of these, by reason
  std::uint32_t weight = 1;       // that holds now
  std::string state = "enabled";  // enabled | draining | disabled: set at run time
  bool is_backup = false;
  std::string zone;
};

struct CertificateReport {
  std::string listener;
  std::string file;
  std::string name;               // the first that it is for
  std::int64_t days_left = 0;
};

struct NodeReport {
  std::uint16_t node = 0;
  bool is_draining = false;
  std::uint64_t config_digest = 0;
  std::uint64_t connections = 0;
  std::optional<std::uint32_t> cpu_use;  // thousandths of what its workers could use, lately
  std::vector<WorkerReport> workers;
  std::vector<BackendReport> backends;
  std::vector<CertificateReport> certificates;  // those that expire first
  std::optional<versions::VersionState> versions;
};

// Factors of the nodes' weights, in thousandths; a node that is not named has 1000.
struct Weights {
  std::string from;            // the L4 host that decides
  std::uint64_t version = 0;   // the higher one holds
  std::map<std::uint16_t, std::uint32_t> factors;
};

nlohmann::json to_json(const WorkerReport& worker);
nlohmann::json status_of(const WorkerReport& worker);  // as "status" shows it
nlohmann::json to_json(const Weights& weights);
nlohmann::json to_json(const CertificateReport& certificate);
nlohmann::json to_json(const Hello& hello);
nlohmann::json to_json(const HostHello& hello);
nlohmann::json to_json(const NodeReport& report);
// Errors name the field and what it should be.
Result<Hello> hello_from_json(const nlohmann::json& json);
Result<HostHello> host_hello_from_json(const nlohmann::json& json);
Result<NodeReport> node_report_from_json(const nlohmann::json& json);
Result<Weights> weights_from_json(const nlohmann::json& json);

}  // namespace gatehouse::control
