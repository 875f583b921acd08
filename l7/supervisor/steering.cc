#include "l7/supervisor/steering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <set>

#include "bpf/abi.h"
#include "bpf/hash.h"
#include "bpf/node.skel.h"
#include "bpf/wire.h"
#include "common/bpf_object.h"
#include "common/check.h"
#include "l7/runtime.h"
#include "l7/supervisor/steering_cookies.h"

namespace gatehouse::l7 {
namespace {

gh_address to_table_address(const IpAddress& address) {
  gh_address table;
  std::memcpy(&table, address.bytes.data(), sizeof table);
  return table;
}

gh_vip_entry make_entry(const IpAddress& address, std::uint16_t port, std::uint8_t protocol, std::uint16_t number) {
  gh_vip_entry entry{};
  entry.address = to_table_address(address);
  entry.key = gh_entry_key(gh_be16(port), protocol, GH_ENTRY_VIP);
  entry.vip = number;
  return entry;
}

// Fills the half of a table that no packet looks at, then switches to it.
Status replace_half(gh_vip_line* lines, __u32& live_half, const std::vector<gh_vip_entry>& entries, const char* what) {
  const __u32 idle = 1 - (live_half & 1);
  gh_vip_line* half = lines + idle * GH_VIP_LINES;
  std::memset(half, 0, GH_VIP_LINES * sizeof(gh_vip_line));
  for (const gh_vip_entry& entry : entries) {
    if (gh_place(half, entry) != 0) return Error{std::string("the table of ") + what + " is full at " + std::to_string(entries.size())};
  }
  std::atomic_ref<__u32>(live_half).store(idle, std::memory_order_release);
  wait_for_bpf_readers();
  return {};
}

const config::Vip* find_vip(const config::Config& config, const std::string& name) {
  for (const config::Vip& vip : config.vips) {
    if (vip.name == name) return &vip;
  }
  return nullptr;
}

std::string number_key(const std::string& listener, bool is_v4) { return listener + (is_v4 ? "/4" : "/6"); }

// Calls visit(listener, vip) for each VIP that a listener takes.
template <typename Visit>
void for_each_steered(const config::Config& config, Visit visit) {
  for (const config::Listener& listener : config.listeners) {
    for (const std::string& name : listener.vips) {
      if (const config::Vip* vip = find_vip(config, name)) visit(listener, *vip);
    }
  }
}

const std::string kProbeName(kProbeListener);

}  // namespace

struct Steering::Programs {
  node_bpf* node = nullptr;
  ~Programs() { node_bpf__destroy(node); }
};

Steering::Steering(Options options) : options_(std::move(options)), programs_(std::make_unique<Programs>()) {}
Steering::~Steering() = default;

Result<std::unique_ptr<Steering>> Steering::open(const Options& options) {
  if (const Status prepared = prepare_pin_folder(options.pin_folder); !prepared) return prepared.error();
  std::unique_ptr<Steering> steering(new Steering(options));
  node_bpf* node = steering->programs_->node = node_bpf__open();
  if (!node) return system_error("cannot open the node's programs");
  bpf_map__set_max_entries(node->maps.counts, static_cast<__u32>(libbpf_num_possible_cpus()));
  const auto pins = plan_pins(node->obj, options.pin_folder);
  if (!pins) return pins.error();
  steering->pins_ = *pins;
  node->rodata->may_read_sockets = libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_probe_read_kernel, nullptr) == 1;
  if (const int code = node_bpf__load(node)) {
    return bpf_error("the kernel refuses the node's programs (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed)", code);
  }
  if (const Status mapped = steering->map_tables(); !mapped) return mapped.error();
  if (!pins->are_adopted) {
    gh_identity self{};
    GH_CHECK(getrandom(self.hash_key, sizeof self.hash_key, 0) == sizeof self.hash_key);
    gh_switch_identity(steering->state_, &self);
  }
  return steering;
}

Status Steering::map_tables() {
  const auto& maps = programs_->node->maps;
  const auto map = [](const bpf_map* table, auto*& pointer) -> Status {
    const auto memory = map_memory(table);
    if (!memory) return memory.error();
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(memory->data());
    return {};
  };
  for (const Status& status : {map(maps.state, state_), map(maps.listener_lines, listener_lines_), map(maps.counts, counts_),
                               map(maps.cookies, cookies_)}) {
    if (!status) return status;
  }
  cpus_ = bpf_map__max_entries(maps.counts);
  return {};
}

Status Steering::set_config(const config::Config& config, std::uint32_t workers) {
  const Numbers numbers = number_listeners(config);
  for (const auto& [listener, number] : numbers) {
    if (number >= GH_MAX_LISTENERS) {
      return Error{config.file + ": more than " + std::to_string(GH_MAX_LISTENERS) + " listeners with VIPs (each address family counts)"};
    }
  }
  if (const Status written = write_fleet(config); !written) return written;
  if (const Status written = write_listeners(config, numbers); !written) return written;
  numbers_ = numbers;
  state_->self = options_.node.id;
  write_identity(config);
  write_cookies(*cookies_, config, read_tcp_settings(), cookie_mode_);
  set_workers(workers);
  return {};
}

void Steering::set_workers(std::uint32_t workers) { std::atomic_ref<__u32>(state_->workers).store(workers, std::memory_order_release); }

// What the fleet's tunnel packets are for and, beside its addresses, come from. The key stays: it is of this node alone.
void Steering::write_identity(const config::Config& config) {
  const auto prefix_of = [](const std::optional<IpPrefix>& prefix) {
    gh_source source{};
    if (!prefix) return source;
    source.address = to_table_address(prefix->address);
    source.entropy = gh_host_bits(prefix->length);
    return source;
  };
  gh_identity self = *gh_get_identity(state_);
  (options_.node.address.is_v4() ? self.gue_v4 : self.gue_v6).address = to_table_address(options_.node.address);
  self.ipip_v4 = prefix_of(config.site.ipip_source_v4);
  self.ipip_v6 = prefix_of(config.site.ipip_source_v6);
  gh_switch_identity(state_, &self);
}

// Only the fleet may send tunnel packets, and hops lead to its nodes.
Status Steering::write_fleet(const config::Config& config) {
  std::vector<gh_vip_entry> fleet;
  for (const config::L4Host& host : config.l4_hosts) {
    fleet.push_back(make_entry(host.address, 0, 0, 0));
    if (host.address_v6) fleet.push_back(make_entry(*host.address_v6, 0, 0, 0));
  }
  std::vector<gh_destination> wanted(GH_MAX_NODES);
  for (const config::Node& node : config.nodes) {
    fleet.push_back(make_entry(node.address, 0, 0, 0));
    wanted[node.id].address = to_table_address(node.address);
    wanted[node.id].family = node.address.is_v4() ? GH_FAMILY_V4 : GH_FAMILY_V6;
  }
  wait_for_bpf_readers();  // since the last change of a node
  for (std::size_t id = 0; id < GH_MAX_NODES; ++id) {
    const gh_address& live = state_->nodes[id].destinations[state_->nodes[id].live & 1].address;
    if (live.high == wanted[id].address.high && live.low == wanted[id].address.low) continue;
    gh_switch_destination(&state_->nodes[id], &wanted[id].address, static_cast<gh_family>(wanted[id].family));
  }
  return replace_half(state_->vip_lines, state_->vip_half, fleet, "L4 hosts and nodes");
}

// A listener keeps its number while we live, since workers' sockets are filed under it; after a restart it is that of its VIPs
// in the live table.
Steering::Numbers Steering::number_listeners(const config::Config& config) const {
  Numbers numbers;
  std::set<std::uint32_t> taken;
  const auto keep = [&](const std::string& key, const IpAddress& address, std::uint16_t port) {
    const auto known = numbers_.find(key);
    const auto number = known != numbers_.end() ? std::optional(known->second) : numbers_.empty() ? number_in_table(address, port) : std::nullopt;
    if (number && !taken.contains(*number) && numbers.emplace(key, *number).second) taken.insert(*number);
  };
  const auto add = [&](const std::string& key) {
    std::uint32_t number = 0;
    while (taken.contains(number)) ++number;
    if (numbers.emplace(key, number).second) taken.insert(number);
  };
  const std::string probe = number_key(kProbeName, config.probe.address.is_v4());
  keep(probe, config.probe.address, config.probe.port);
  for_each_steered(config, [&](const config::Listener& listener, const config::Vip& vip) {
    keep(number_key(listener.name, vip.address.is_v4()), vip.address, vip.port);
  });
  add(probe);
  for_each_steered(config, [&](const config::Listener& listener, const config::Vip& vip) {
    add(number_key(listener.name, vip.address.is_v4()));
  });
  return numbers;
}

std::optional<std::uint32_t> Steering::number_in_table(const IpAddress& address, std::uint16_t port) const {
  const gh_vip_line* half = listener_lines_ + (state_->listener_half & 1) * GH_VIP_LINES;
  const gh_address wanted = to_table_address(address);
  for (std::uint32_t line = 0; line < GH_VIP_LINES; ++line) {
    for (const gh_vip_entry& entry : half[line].entry) {
      const bool is_it = entry.is_used && entry.address.high == wanted.high && entry.address.low == wanted.low && entry.port == gh_be16(port);
      if (is_it) return entry.vip;
    }
  }
  return std::nullopt;
}

Status Steering::write_listeners(const config::Config& config, const Numbers& numbers) {
  std::vector<gh_vip_entry> entries;
  const auto number_of = [&numbers](const std::string& listener, const IpAddress& address) {
    return static_cast<std::uint16_t>(numbers.at(number_key(listener, address.is_v4())));
  };
  entries.push_back(make_entry(config.probe.address, config.probe.port, IPPROTO_TCP, number_of(kProbeName, config.probe.address)));
  for_each_steered(config, [&](const config::Listener& listener, const config::Vip& vip) {
    entries.push_back(make_entry(vip.address, vip.port, IPPROTO_TCP, number_of(listener.name, vip.address)));
  });
  return replace_half(listener_lines_, state_->listener_half, entries, "VIPs");
}

std::string Steering::place_of(const std::string& listener, bool is_v4) const {
  bpf_map_info info{};
  __u32 length = sizeof info;
  GH_CHECK(bpf_obj_get_info_by_fd(bpf_map__fd(programs_->node->maps.sockets), &info, &length) == 0);
  const auto number = numbers_.find(number_key(listener, is_v4));
  GH_CHECK(number != numbers_.end());
  return std::to_string(number->second) + " of map " + std::to_string(info.id);
}

Status Steering::set_socket(const std::string& listener, bool is_v4, std::uint32_t worker, int socket) {
  const auto number = numbers_.find(number_key(listener, is_v4));
  GH_CHECK(number != numbers_.end() && worker < GH_MAX_WORKERS);
  const std::uint32_t index = number->second * GH_MAX_WORKERS + worker;
  const std::uint64_t value = static_cast<std::uint64_t>(socket);
  const int map = bpf_map__fd(programs_->node->maps.sockets);
  if (bpf_map_update_elem(map, &index, &value, BPF_ANY) != 0) return system_error("cannot steer connections of " + listener);
  return {};
}

Status Steering::attach() {
  // The links are where they have always been, whatever became of the maps.
  const Status steered = attach_sk_lookup(programs_->node->progs.steer, options_.pin_folder + "/link_steer");
  if (!steered) return steered;
  const Status attached = attach_xdp(programs_->node->progs.decapsulate, options_.node.interface, options_.pin_folder + "/link_xdp");
  return attached ? settle_pins(pins_) : attached;
}

void Steering::detach(const std::string& pin_folder) { remove_pins(pin_folder); }

std::vector<Steering::Count> Steering::verdicts() const {
  std::vector<Count> counts;
  for (std::size_t verdict = 0; verdict < GH_VERDICT_COUNT; ++verdict) {
    std::uint64_t sum = 0;
    for (std::size_t cpu = 0; cpu < cpus_; ++cpu) sum += counts_[cpu].verdicts[verdict];
    if (sum) counts.push_back({gh_verdict_names[verdict], sum});
  }
  return counts;
}

}  // namespace gatehouse::l7
