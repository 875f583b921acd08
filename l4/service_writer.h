// Writes the tables of services so that no packet sees half of a change (the rules are in bpf/abi_service.h).
// One writer per plane; keeps no state: which half is live stands in the tables.
#pragma once

#include <cstdint>
#include <vector>

#include "common/address.h"
#include "common/result.h"
#include "l4/data_plane.h"
#include "l4/quic_cid.h"

namespace gatehouse::l4 {

// What a config says of all services, as the tables hold it.
struct ServiceSet {
  struct Service {
    std::uint16_t number = 0;  // 1..GH_MAX_SERVICES-1
    bool has_flow_cache = true;
    std::uint16_t tcp_idle = 0;  // seconds
    std::uint16_t udp_idle = 0;
    std::vector<QuicLb> quic;  // config ids differ
  };
  // A server that packets are translated for, and the VIP that it stands behind.
  struct Back {
    IpAddress address;
    std::uint16_t port = 0;  // 0: any
    std::uint8_t protocol = 0;
    std::uint16_t vip = 0;  // number
    std::uint16_t service = 0;
    IpAddress vip_address;
    std::uint16_t vip_port = 0;  // 0: the server's is the VIP's
  };
  struct QuicServer {
    std::vector<std::uint8_t> server_id;
    std::uint16_t server = 0;
    std::uint16_t service = 0;
  };
  std::vector<Service> services;
  std::vector<Back> backs;
  std::vector<IpAddress> hosts;  // L4 hosts: what servers say to them is not translated
  std::vector<QuicServer> quic_servers;
};

class ServiceWriter {
 public:
  explicit ServiceWriter(DataPlane& plane) : plane_(plane) {}

  // Replaces all of it at one stroke. Fails, changing nothing, when the table of servers and server ids is
  // too full.
  Status set(const ServiceSet& set);
  // `port`: what translation writes; 0: the VIP's. Usable servers keep their flows.
  void set_server(std::uint16_t id, std::uint16_t service, std::uint16_t port, std::uint8_t encapsulation,
                  bool is_usable);

 private:
  DataPlane& plane_;
};

}  // namespace gatehouse::l4
