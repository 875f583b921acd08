// Listening sockets of one worker, made by the supervisor and handed over. For VIPs they are bound to a loopback address
// that nobody uses and get their connections by steering; for `addresses` each worker has its own in a reuseport group.
// The supervisor keeps no copy: when the worker dies its sockets die, and the kernel gives new connections to the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/config/model.h"
#include "common/fd.h"
#include "common/result.h"
#include "l7/supervisor/steering.h"

namespace gatehouse::l7 {

struct WantedSocket {
  std::string listener;   // config::Listener::name, or kProbeListener
  std::string key;        // equal keys: the same socket goes on serving
  bool is_steered = false;
  Endpoint address;       // where it is bound; steered: family only
};

// What a worker of `config` listens on. `steering`: of a node, which has VIPs and probes to serve, after set_config().
std::vector<WantedSocket> wanted_sockets(const config::Config& config, const Steering* steering);

// What clients of every listener may send at most so that a packet with its tunnel headers fits the fabric.
int smallest_segment(const config::Config& config, bool is_v4);

// `steering` may be nullptr when nothing is steered.
Result<Fd> make_listener_socket(const WantedSocket& wanted, const config::Config& config, std::uint32_t worker, Steering* steering);

// Whether all `addresses` can be listened on: tried before a config is taken into use.
Status check_addresses(const config::Config& config);

}  // namespace gatehouse::l7
