// See the header.
#include "perf/packets/node_bench.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/socket.h>

#include <algorithm>

#include "bpf/hash.h"
#include "bpf/node.skel.h"
#include "common/bpf_object.h"
#include "l4/table_writer.h"
#include "l4/user_tables.h"
#include "tests/support/packet_builder.h"

namespace gatehouse::perf {
namespace {

constexpr const char* kFrontDoor = "192.0.2.1";
constexpr const char* kSelf = "10.0.0.1";

std::uint16_t port_of(const Fd& socket) {
  sockaddr_in name{};
  socklen_t length = sizeof name;
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &length);
  return ntohs(name.sin_port);
}

template <typename T>
Status map_table(const bpf_map* map, std::span<T>& table) {
  const auto memory = map_memory(map);
  if (!memory) return memory.error();
  table = {reinterpret_cast<T*>(memory->data()), memory->size() / sizeof(T)};
  return {};
}

gh_verdict verdict_of(NodeTarget target) {
  if (target == NodeTarget::kOwned) return GH_NODE_OWNED;
  return target == NodeTarget::kSentOn ? GH_NODE_SENT_ON : GH_NODE_DELIVERED;
}

bool is_floor(NodeTarget target) {
  return target == NodeTarget::kWrapper || target == NodeTarget::kLookUp || target == NodeTarget::kLookUpHere;
}

}  // namespace

NodeBench::~NodeBench() { node_bpf__destroy(node_); }

Result<std::unique_ptr<NodeBench>> NodeBench::open(Wrapper& wrapper) {
  std::unique_ptr<NodeBench> bench(new NodeBench(wrapper));
  bench->node_ = node_bpf__open();
  if (!bench->node_) return system_error("cannot open the node's programs");
  const auto cpus = static_cast<__u32>(libbpf_num_possible_cpus());
  bpf_map__set_max_entries(bench->node_->maps.counts, cpus);
  if (const int code = node_bpf__load(bench->node_)) return bpf_error("cannot load the node's programs", code);
  if (const Status connected = bench->connect(); !connected) return connected.error();
  if (const Status filled = bench->fill(); !filled) return filled.error();
  return bench;
}

Status NodeBench::connect() {
  listener_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  client_ = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* generic = reinterpret_cast<const sockaddr*>(&name);
  if (bind(listener_.get(), generic, sizeof name) != 0 || listen(listener_.get(), 1) != 0) return system_error("cannot listen");
  server_port_ = port_of(listener_);
  name.sin_port = htons(server_port_);
  if (::connect(client_.get(), generic, sizeof name) != 0) return system_error("cannot connect");
  client_port_ = port_of(client_);
  return {};
}

Status NodeBench::fill() {
  std::span<gh_state> state;
  for (const Status& mapped : {map_table(node_->maps.state, state), map_table(node_->maps.counts, counts_)}) {
    if (!mapped) return mapped;
  }
  state_ = state.data();
  gh_identity self{};
  self.gue_v4 = l4::make_source(*IpAddress::parse(kSelf));
  gh_switch_identity(state_, &self);
  gh_vip_entry member{};
  member.address = l4::to_table_address(*IpAddress::parse(kFrontDoor));
  member.key = gh_entry_key(0, 0, GH_ENTRY_VIP);
  if (gh_place(state_->vip_lines, member) != 0) return Error{"the table is full"};
  const gh_address other = l4::to_table_address(*IpAddress::parse("10.0.0.2"));
  gh_switch_destination(&state_->nodes[2], &other, GH_FAMILY_V4);
  return {};
}

std::vector<std::uint8_t> NodeBench::make_frame(NodeTarget target) const {
  const bool is_here = target == NodeTarget::kOwned || target == NodeTarget::kLookUpHere;
  const auto client_port = static_cast<std::uint16_t>(is_here ? client_port_ : client_port_ ^ 1);
  const test::Bytes inner =
      test::PacketBuilder().ipv4("127.0.0.1", "127.0.0.1").tcp(client_port, server_port_).payload(10).build();
  test::PacketBuilder frame;
  frame.ethernet().ipv4(kFrontDoor, kSelf).dont_fragment();
  const bool has_hops = target == NodeTarget::kOwned || target == NodeTarget::kSentOn;
  if (target != NodeTarget::kIpip) {
    frame.udp(50000, 6080).without_checksum().gue(1, has_hops ? std::vector<std::uint16_t>{2} : std::vector<std::uint16_t>{});
  }
  return frame.packet(inner).build();
}

std::uint64_t NodeBench::count(gh_verdict verdict) const {
  std::uint64_t sum = 0;
  for (const gh_counts& cpu : counts_) sum += cpu.verdicts[verdict];
  return sum;
}

Result<double> NodeBench::run(NodeTarget target, std::uint64_t packets) {
  Run run;
  run.around = Run::Around::kTunnel;
  run.frame = make_frame(target);
  run.packets = packets;
  run.program = bpf_program__fd(node_->progs.decapsulate);
  if (target == NodeTarget::kWrapper) run.program = wrapper_.floors().transmit;
  if (target == NodeTarget::kLookUp || target == NodeTarget::kLookUpHere) run.program = wrapper_.floors().look_up;
  const gh_verdict verdict = verdict_of(target);
  const std::uint64_t before = count(verdict);
  const auto outcome = wrapper_.run(run);
  if (!outcome) return outcome.error();
  const std::uint64_t counted = count(verdict) - before;
  if (!is_floor(target) && counted != packets) {
    return Error{"verdict " + std::to_string(verdict) + " was counted " + std::to_string(counted) + " times"};
  }
  return outcome->nanoseconds;
}

Result<double> NodeBench::measure(NodeTarget target, std::uint64_t packets) {
  const auto warmed = run(target, std::max<std::uint64_t>(packets / 10, 20'000));
  return warmed ? run(target, packets) : warmed;
}

}  // namespace gatehouse::perf
