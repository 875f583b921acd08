// What the tests of services share: a site of three services, the two builds of the packet core over it, and
// time that passes when a test says so.
//   1  databases: 198.51.100.20 and 2001:db8:5::20, TCP 5432 and UDP 53; tunnelled to servers 1 to 4
//   2  web: 198.51.100.21 and 2001:db8:5::21, TCP 80 and UDP 80; translated to servers 11 and 12 (IPv4), in
//   service 4 to
//      servers 13 and 14 (IPv6), port 8080
//   3  QUIC: 198.51.100.22, UDP 443; tunnelled to servers 21 to 23, whose server ids are the bytes 00, then
//   their id
#pragma once

#include "bpf/flow_cache.h"
#include "l4/counters.h"
#include "l4/service_writer.h"
#include "tests/bpf/adapters.h"

namespace gatehouse::test {

inline constexpr std::uint32_t kServiceSlots = 251;
inline constexpr std::uint16_t kTcpIdle = 900, kUdpIdle = 60;
inline constexpr std::uint16_t kDatabases = 1, kWeb = 2, kQuic = 3, kWeb6 = 4;
inline constexpr l4::QuicLb::Key kQuicKey = {0x8f, 0x95, 0xf0, 0x92, 0x45, 0x76, 0x5f, 0x80,
                                             0x25, 0x69, 0x34, 0xe5, 0x0c, 0x66, 0x20, 0x7f};
// By config id: in the clear, four passes of even and odd length, one pass.
inline const std::vector<l4::QuicLb> kQuicConfigs = {
    {0, 2, 6, std::nullopt}, {1, 2, 6, kQuicKey}, {2, 2, 5, kQuicKey}, {3, 2, 14, kQuicKey}};

inline std::vector<std::uint8_t> quic_server_id(std::uint16_t server) {
  return {0, static_cast<std::uint8_t>(server)};
}

inline std::uint16_t service_group(std::uint16_t service) { return static_cast<std::uint16_t>(GH_SERVICE_GROUPS + service); }

// A ring whose slots belong to `servers` in turn.
inline void set_servers(l4::DataPlane& plane, std::uint16_t service,
                        const std::vector<std::uint16_t>& servers) {
  std::vector<std::uint64_t> ring;
  for (std::uint32_t slot = 0; slot < kServiceSlots; ++slot)
    ring.push_back(gh_slot(servers[slot % servers.size()], 0, 0, 0));
  const Status set = l4::TableWriter(plane).set_ring(service_group(service), ring, 1);
  ASSERT_TRUE(set) << set.error().message;
}

inline l4::ServiceSet service_set(bool has_flow_cache = true) {
  l4::ServiceSet set;
  for (const std::uint16_t number : {kDatabases, kWeb, kQuic, kWeb6}) {
    set.services.push_back({number, has_flow_cache, kTcpIdle, kUdpIdle, {}});
  }
  set.services[2].quic = kQuicConfigs;
  for (const std::uint16_t server : {21, 22, 23})
    set.quic_servers.push_back({quic_server_id(server), server, kQuic});
  for (const std::uint16_t server : {11, 12, 13, 14}) {
    const bool is_v4 = server < 13;
    for (const std::uint8_t protocol : {6, 17}) {
      const auto vip = static_cast<std::uint16_t>((is_v4 ? 4 : 6) + (protocol == 17));
      set.backs.push_back({ip((is_v4 ? "10.0.1." : "fd00:1::") + std::to_string(server)), 8080, protocol, vip,
                           is_v4 ? kWeb : kWeb6, ip(is_v4 ? "198.51.100.21" : "2001:db8:5::21"), 80});
    }
  }
  set.hosts = {ip("192.0.2.1"), ip("192.0.2.3"), ip("2001:db8:2::1")};
  return set;
}

inline std::vector<l4::VipEntry> service_vips(std::uint8_t hash_fields = GH_HASH_FLOW) {
  const auto vip = [&](const char* address, std::uint16_t port, std::uint8_t protocol, std::uint16_t number,
                       std::uint16_t service, std::uint16_t flags, std::uint8_t encapsulation) {
    l4::VipEntry entry{ip(address), port, protocol, number, service_group(service)};
    entry.flags = static_cast<std::uint16_t>(GH_VIP_SERVICE | flags);
    entry.encapsulation = encapsulation;
    entry.hash_fields = hash_fields;
    entry.service = service;
    return entry;
  };
  return {vip("198.51.100.20", 5432, 6, 0, kDatabases, 0, 0),
          vip("198.51.100.20", 53, 17, 1, kDatabases, 0, 0),
          vip("2001:db8:5::20", 5432, 6, 2, kDatabases, 0, 0),
          vip("2001:db8:5::20", 53, 17, 3, kDatabases, 0, 0),
          vip("198.51.100.21", 80, 6, 4, kWeb, 0, GH_ENCAPSULATE_NAT),
          vip("198.51.100.21", 80, 17, 5, kWeb, 0, GH_ENCAPSULATE_NAT),
          vip("2001:db8:5::21", 80, 6, 6, kWeb6, 0, GH_ENCAPSULATE_NAT),
          vip("2001:db8:5::21", 80, 17, 7, kWeb6, 0, GH_ENCAPSULATE_NAT),
          vip("198.51.100.22", 443, 17, 8, kQuic, GH_VIP_QUIC, 0)};
}

inline IpAddress server_address(std::uint16_t server) {
  if (server >= 11 && server < 20) return ip((server < 13 ? "10.0.1." : "fd00:1::") + std::to_string(server));
  return ip("10.0.0." + std::to_string(server));
}

inline void fill_services(l4::DataPlane& plane, std::uint8_t hash_fields = GH_HASH_FLOW,
                          bool has_flow_cache = true) {
  fill_front_door(plane, {0, {}, {}, 0});
  l4::TableWriter tables(plane);
  l4::ServiceWriter services(plane);
  const struct {
    std::uint16_t number;
    std::vector<std::uint16_t> servers;
  } rows[] = {{kDatabases, {1, 2, 3, 4}}, {kWeb, {11, 12}}, {kQuic, {21, 22, 23}}, {kWeb6, {13, 14}}};
  for (const auto& row : rows) {
    for (const std::uint16_t server : row.servers) {
      tables.set_node(server, server_address(server));
      services.set_server(server, row.number, row.servers.front() / 10 == 1 ? 8080 : 0, 0, true);
    }
    set_servers(plane, row.number, row.servers);
  }
  const Status set = services.set(service_set(has_flow_cache));
  ASSERT_TRUE(set) << set.error().message;
  const Status vips = tables.set_vips(service_vips(hash_fields));
  ASSERT_TRUE(vips) << vips.error().message;
}

// Of all CPUs.
inline std::uint64_t service_count(const l4::Tables& tables, std::uint16_t service, gh_service_count count) {
  std::uint64_t sum = 0;
  for (std::size_t i = service; i < tables.services.counts.size(); i += GH_MAX_SERVICES) {
    sum += tables.services.counts[i].count[count];
  }
  return sum;
}

class Services : public testing::TestWithParam<Adapter> {
 protected:
  static constexpr std::uint32_t kFlowLines = 256;

  void SetUp() override { open(); }
  void open(std::uint8_t hash_fields = GH_HASH_FLOW, bool has_flow_cache = true,
            std::uint32_t flow_lines = kFlowLines) {
    if (GetParam() == Adapter::kUserSpace) {
      plane_ = std::make_unique<l4::MemoryPlane>(kServiceSlots, 8, flow_lines);
    } else {
      if (geteuid() != 0) GTEST_SKIP() << "Loading BPF programs needs root.";
      remove_pins(folder_);
      auto opened = l4::XdpDataPlane::open(
          {.pin_folder = folder_, .interfaces = {}, .ring_slots = kServiceSlots, .flow_lines = flow_lines});
      if (!opened && opened.error().message.find("Operation not permitted") != std::string::npos) {
        GTEST_SKIP() << "This machine does not let us load BPF programs: " << opened.error().message;
      }
      ASSERT_TRUE(opened) << opened.error().message;
      program_ = (*opened)->program_fd();
      plane_ = std::move(*opened);
    }
    fill_services(*plane_, hash_fields, has_flow_cache);
  }
  void TearDown() override {
    plane_.reset();
    if (GetParam() == Adapter::kKernel) remove_pins(folder_);
  }

  l4::Tables& tables() { return const_cast<l4::Tables&>(plane_->tables()); }
  std::uint64_t count(std::uint16_t service, gh_service_count count) {
    return service_count(tables(), service, count);
  }

  // In place; whether it was transmitted.
  bool run(Bytes& packet) {
    if (GetParam() == Adapter::kKernel) return run_in_kernel(program_, packet) == XDP_TX;
    return gh_action_transmits(run_here(l4::balance, tables(), packet));
  }
  // The server that the packet was given to, by its counter; 0: none.
  std::uint16_t server_of(const PacketBuilder& inner) {
    const auto before = packets_of_servers();
    Bytes packet = PacketBuilder().ethernet().packet(inner.build()).build();
    run(packet);
    const auto after = packets_of_servers();
    for (std::size_t id = 0; id < after.size(); ++id) {
      if (after[id] != before[id]) return static_cast<std::uint16_t>(id);
    }
    return 0;
  }

  // As if nothing had happened for so long.
  void let_pass(std::uint16_t ticks) {
    for (gh_flow_line& line : tables().services.flow_lines) {
      for (__u64& word : line.way) {
        const auto age = static_cast<std::uint16_t>((word >> 16) - ticks);
        if (word) word = (word & ~0xffff0000ull) | static_cast<std::uint64_t>(age) << 16;
      }
    }
  }
  std::size_t flows() {
    std::size_t count = 0;
    for (const gh_flow_line& line : tables().services.flow_lines) {
      for (const __u64 word : line.way) count += word != 0;
    }
    return count;
  }

  const std::string folder_ = "/sys/fs/bpf/gatehouse_services_test_" + std::to_string(getpid());
  std::unique_ptr<l4::DataPlane> plane_;
  int program_ = -1;

 private:
  static bool gh_action_transmits(gh_verdict verdict) {
    return verdict == GH_FORWARDED || verdict == GH_TRANSLATED_BACK;
  }
  std::vector<std::uint64_t> packets_of_servers() {
    std::vector<std::uint64_t> packets(32);
    for (std::uint16_t id = 0; id < packets.size(); ++id) packets[id] = l4::node_traffic(tables(), id).packets;
    return packets;
  }
};

}  // namespace gatehouse::test
