#include "l4/service_writer.h"

#include <algorithm>
#include <atomic>
#include <bit>

#include "bpf/hash.h"
#include "bpf/wire.h"
#include "l4/user_tables.h"

namespace gatehouse::l4 {
namespace {

gh_vip_entry back_entry(const ServiceSet::Back& back) {
  gh_vip_entry entry{};
  entry.address = to_table_address(back.address);
  entry.port = gh_be16(back.port);
  entry.protocol = back.protocol | GH_LINE_BACK;
  entry.is_used = 1;
  entry.vip = back.vip;
  entry.service = back.service;
  return entry;
}

gh_vip_entry quic_entry(const ServiceSet::QuicServer& server) {
  gh_vip_entry entry{};
  entry.address = quic_line_address(server.server_id);
  entry.port = server.service;
  entry.protocol = GH_LINE_QUIC;
  entry.is_used = 1;
  entry.vip = server.server;
  entry.service = server.service;
  return entry;
}

gh_vip_entry host_entry(const IpAddress& host) {
  gh_vip_entry entry{};
  entry.address = to_table_address(host);
  entry.protocol = GH_LINE_HOST;
  entry.is_used = 1;
  return entry;
}

// The idle half of every table that has two.
struct Half {
  Half(const ServiceTables& tables, std::size_t half)
      : services(tables.services.subspan(half * GH_MAX_SERVICES, GH_MAX_SERVICES)),
        lines(tables.lines.subspan(half * GH_VIP_LINES, GH_VIP_LINES)),
        places(tables.places.subspan(half * GH_MAX_VIPS, GH_MAX_VIPS)),
        quic(tables.quic.subspan(half * GH_MAX_SERVICES * GH_QUIC_CONFIGS,
                                 GH_MAX_SERVICES * GH_QUIC_CONFIGS)) {}
  void clear() const {
    std::fill(services.begin(), services.end(), gh_service{});
    std::fill(lines.begin(), lines.end(), gh_vip_line{});
    std::fill(places.begin(), places.end(), gh_vip_place{});
    std::fill(quic.begin(), quic.end(), gh_quic{});
  }
  std::span<gh_service> services;
  std::span<gh_vip_line> lines;
  std::span<gh_vip_place> places;
  std::span<gh_quic> quic;
};

}  // namespace

Status ServiceWriter::set(const ServiceSet& set) {
  const Tables& tables = plane_.tables();
  const std::uint32_t idle = (tables.state->services & GH_SERVICES_HALF) ^ GH_SERVICES_HALF;
  const Half half(tables.services, idle);
  half.clear();
  for (const ServiceSet::Service& service : set.services) {
    half.services[service.number] = {service.tcp_idle,
                                     service.udp_idle,
                                     service.has_flow_cache,
                                     {},
                                     static_cast<__u32>(tables.services.flow_lines.size() - 1),
                                     plane_.tick_multiplier()};
    for (const QuicLb& config : service.quic) {
      half.quic[service.number * GH_QUIC_CONFIGS + config.config_id] = make_quic(config);
    }
  }
  bool is_placed = true;
  for (const ServiceSet::Back& back : set.backs) {
    half.places[back.vip] = {to_table_address(back.vip_address), gh_be16(back.vip_port), {}};
    is_placed = is_placed && gh_place(half.lines.data(), back_entry(back)) == 0;
  }
  for (const IpAddress& host : set.hosts)
    is_placed = is_placed && gh_place(half.lines.data(), host_entry(host)) == 0;
  for (const ServiceSet::QuicServer& server : set.quic_servers) {
    is_placed = is_placed && gh_place(half.lines.data(), quic_entry(server)) == 0;
  }
  if (!is_placed) {
    return Error{"the services' table is full at " + std::to_string(set.backs.size()) +
                 " translated servers and " + std::to_string(set.quic_servers.size()) + " QUIC server ids"};
  }
  const bool has_quic = std::any_of(set.services.begin(), set.services.end(),
                                    [](const auto& service) { return !service.quic.empty(); });
  const auto flag = [](bool is_set, std::uint32_t value) { return is_set ? value : 0; };
  const std::uint32_t value =
      idle | flag(!set.backs.empty(), GH_SERVICES_TRANSLATE) | flag(has_quic, GH_SERVICES_QUIC);
  std::atomic_ref<__u32>(tables.state->services).store(value, std::memory_order_release);
  plane_.wait_for_readers();
  return {};
}

void ServiceWriter::set_server(std::uint16_t id, std::uint16_t service, std::uint16_t port,
                               std::uint8_t encapsulation, bool is_usable) {
  const gh_server server{service, gh_be16(port), static_cast<__u8>(is_usable ? GH_SERVER_USABLE : 0),
                         encapsulation, 0};
  auto& word = reinterpret_cast<std::uint64_t&>(plane_.tables().services.servers[id]);
  std::atomic_ref<std::uint64_t>(word).store(std::bit_cast<std::uint64_t>(server), std::memory_order_release);
}

}  // namespace gatehouse::l4
