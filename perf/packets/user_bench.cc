// The measured loop restores the packet, writes a flow into it and calls the core.
#include "perf/packets/user_bench.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <functional>
#include <numeric>

#include "bpf/wire.h"

namespace gatehouse::perf {
namespace {

constexpr std::size_t kRoom = 128;

[[gnu::noinline]] gh_verdict do_nothing(l4::Tables&, l4::PacketBuffer& packet) {
  asm volatile("" : : "r"(&packet) : "memory");
  return GH_FORWARDED;
}

struct Flows {
  std::uint64_t& random_state;
  std::uint32_t mask;
  std::uint32_t draw() {
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<std::uint32_t>(random_state >> 33) & mask;
  }
};

void write_flow(std::uint8_t* ip, Family family, std::uint32_t flow) {
  const auto port = static_cast<std::uint16_t>(flow ^ flow >> 5);
  if (family == Family::kIpv4) {
    auto* header = reinterpret_cast<gh_ipv4*>(ip);
    header->source[0] = static_cast<std::uint16_t>(10 | flow >> 16 << 8);
    header->source[1] = static_cast<std::uint16_t>(flow);
    reinterpret_cast<gh_tcp*>(header + 1)->source_port = port;
  } else {
    auto* header = reinterpret_cast<gh_ipv6*>(ip);
    header->source[6] = static_cast<std::uint16_t>(flow >> 16);
    header->source[7] = static_cast<std::uint16_t>(flow);
    reinterpret_cast<gh_tcp*>(header + 1)->source_port = port;
  }
}

}  // namespace

UserBench::UserBench() : plane_(kRingSlots, 6), tables_(plane_.tables()) {}

Result<std::unique_ptr<UserBench>> UserBench::open() {
  std::unique_ptr<UserBench> bench(new UserBench);
  if (const Status filled = fill_tables(bench->plane_, kUsualShape); !filled) return filled.error();
  return bench;
}

Result<double> UserBench::run(Target target, Family family, std::uint32_t flows, std::uint64_t packets) {
  const std::vector<std::uint8_t> frame = make_frame(family, Tunnel::kGueHops);
  std::vector<std::uint8_t> memory(kRoom + frame.size());
  std::copy(frame.begin(), frame.end(), memory.begin() + kRoom);
  l4::PacketBuffer packet{memory};
  Flows draws{random_state_, flows - 1};
  gh_verdict (*const handle)(l4::Tables&, l4::PacketBuffer&) =
      target == Target::kLoop ? do_nothing : l4::balance;
  const auto before = node_packets(tables_, family, kUsualShape);
  std::uint64_t failed = 0;

  const auto started = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < packets; ++i) {
    packet.start = kRoom;
    packet.length = frame.size();
    std::memcpy(memory.data() + kRoom, frame.data(), sizeof(gh_ethernet));
    write_flow(memory.data() + kRoom + sizeof(gh_ethernet), family, draws.draw());
    failed += handle(tables_, packet) != GH_FORWARDED;
  }
  const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - started;

  if (failed != 0) return Error{std::to_string(failed) + " packets were not forwarded"};
  if (target == Target::kBalance) {
    if (const Status checked = check(family, flows, before, packet); !checked) return checked.error();
  }
  return elapsed.count() / static_cast<double>(packets);
}

Status UserBench::check(Family family, std::uint32_t flows, std::span<const std::uint64_t> before,
                        const l4::PacketBuffer& last) {
  const auto after = node_packets(tables_, family, kUsualShape);
  const auto used = std::inner_product(after.begin(), after.end(), before.begin(), std::size_t{0},
                                       std::plus<>(), std::not_equal_to<>());
  if (used != (flows == 1 ? 1u : kUsualShape.nodes)) return Error{std::to_string(used) + " nodes got packets"};
  return check_forwarded(tables_, family, Tunnel::kGueHops, last.memory.subspan(last.start, last.length));
}

Result<double> UserBench::measure(Target target, Family family, std::uint32_t flows, std::uint64_t packets) {
  const auto warmed = run(target, family, flows, std::max<std::uint64_t>(packets / 10, 20'000));
  if (!warmed) return warmed;
  return run(target, family, flows, packets);
}

}  // namespace gatehouse::perf
