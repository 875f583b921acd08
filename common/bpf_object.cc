#include "common/bpf_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <vector>

#include "common/check.h"
#include "common/fd.h"
#include "common/log.h"

namespace gatehouse {
namespace {

int log_libbpf(libbpf_print_level level, const char* format, va_list arguments) {
  char text[2048];
  std::vsnprintf(text, sizeof text, format, arguments);
  std::string_view line(text);
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  if (level != LIBBPF_DEBUG) log_debug("libbpf: {}", line);
  return 0;
}

bool is_bpffs(const std::string& folder) {
  struct statfs info {};
  return statfs(folder.c_str(), &info) == 0 && info.f_type == BPF_FS_MAGIC;
}

std::string pin_of(const std::string& folder, const bpf_map* map) { return folder + "/map_" + bpf_map__name(map); }

// Whether what is pinned at `pin` is a map like `map`.
bool fits(const bpf_map* map, const std::string& pin) {
  const Fd fd(bpf_obj_get(pin.c_str()));
  if (!fd.is_open()) return false;
  bpf_map_info info{};
  __u32 size = sizeof info;
  if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) return false;
  return info.type == bpf_map__type(map) && info.key_size == bpf_map__key_size(map) &&
         info.value_size == bpf_map__value_size(map) && info.max_entries == bpf_map__max_entries(map) &&
         info.map_flags == bpf_map__map_flags(map);
}

bool has_maps(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().filename().string().starts_with("map_")) return true;
  }
  return false;
}

// The pinned link at `pin` gets a new program; -ENOENT when there is none.
int update_pinned_link(const bpf_program* program, const std::string& pin) {
  const Fd link(bpf_obj_get(pin.c_str()));
  if (!link.is_open()) return -errno;
  return bpf_link_update(link.get(), bpf_program__fd(program), nullptr) == 0 ? 0 : -errno;
}

int pin_link(int link, const std::string& pin) {
  const Fd owned(link);
  return bpf_obj_pin(owned.get(), pin.c_str()) == 0 ? 0 : -errno;
}

int create_xdp_link(const bpf_program* program, unsigned interface, __u32 mode) {
  LIBBPF_OPTS(bpf_link_create_opts, options, .flags = mode);
  const int link = bpf_link_create(bpf_program__fd(program), static_cast<int>(interface), BPF_XDP, &options);
  return link >= 0 ? link : -errno;
}

// A map of maps, whose update returns after a grace period: that is how the kernel promises that no program still uses the
// map that was replaced (maybe_wait_bpf_programs, Linux 5.0).
struct MapOfMaps {
  Fd inner{bpf_map_create(BPF_MAP_TYPE_ARRAY, "gh_inner", sizeof(__u32), sizeof(__u64), 1, nullptr)};
  Fd outer = create_outer(inner);

  static Fd create_outer(const Fd& inner) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = static_cast<__u32>(inner.get()));
    return Fd(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "gh_outer", sizeof(__u32), sizeof(__u32), 1, &options));
  }
  bool update() const {
    const __u32 place = 0;
    const __u32 value = static_cast<__u32>(inner.get());
    return bpf_map_update_elem(outer.get(), &place, &value, BPF_ANY) == 0;
  }
};

}  // namespace

Error bpf_error(const std::string& what, int code) { return Error{what + ": " + std::strerror(code < 0 ? -code : code)}; }

Status prepare_pin_folder(const std::string& folder) {
  libbpf_set_print(log_libbpf);
  std::error_code error;
  const std::string parent = std::filesystem::path(folder).parent_path();
  std::filesystem::create_directories(parent, error);
  if (!is_bpffs(parent)) {
    const bool is_usual = parent.starts_with("/sys/fs/bpf");
    const std::string mount_point = is_usual ? "/sys/fs/bpf" : parent;
    if (mount("bpf", mount_point.c_str(), "bpf", 0, "mode=0700") != 0) {
      return system_error(folder + " is not on a BPF file system and none can be mounted at " + mount_point);
    }
  }
  std::filesystem::create_directories(folder, error);
  if (error) return Error{"cannot create the pin folder " + folder + ": " + error.message()};
  return {};
}

Result<Pins> plan_pins(bpf_object* object, const std::string& folder) {
  Pins pins{folder, folder, true};
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    if (!bpf_map__is_internal(map)) pins.are_adopted &= fits(map, pin_of(folder, map));
  }
  if (!pins.are_adopted && has_maps(folder)) {
    log_warn("the tables pinned in {} have another layout: they forward on until new ones are filled", folder);
    pins.folder = folder + "_next";
    remove_pins(pins.folder);  // of one that did not get this far
    if (const Status made = prepare_pin_folder(pins.folder); !made) return made.error();
  }
  bpf_object__for_each_map(map, object) {
    if (bpf_map__is_internal(map)) continue;
    if (const int code = bpf_map__set_pin_path(map, pin_of(pins.folder, map).c_str())) return bpf_error("pin path", code);
  }
  return pins;
}

Status settle_pins(Pins& pins) {
  if (pins.folder == pins.wanted) return {};
  std::error_code error;
  std::vector<std::filesystem::path> links;
  for (const auto& entry : std::filesystem::directory_iterator(pins.wanted, error)) {
    if (entry.path().filename().string().starts_with("link_")) links.push_back(entry.path());
  }
  for (const auto& link : links) {
    std::filesystem::rename(link, std::filesystem::path(pins.folder) / link.filename(), error);
    if (error) return Error{"cannot move the pin " + link.string() + ": " + error.message()};
  }
  remove_pins(pins.wanted);
  std::filesystem::rename(pins.folder, pins.wanted, error);
  if (error) return Error{"cannot rename " + pins.folder + ": " + error.message()};
  pins.folder = pins.wanted;
  return {};
}

Result<std::span<std::byte>> map_memory(const bpf_map* map) {
  const std::size_t element = (bpf_map__value_size(map) + 7) / 8 * 8;
  const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t size = element * bpf_map__max_entries(map);
  void* memory = mmap(nullptr, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
  if (memory == MAP_FAILED) return system_error(std::string("cannot map the table ") + bpf_map__name(map));
  return std::span(static_cast<std::byte*>(memory), size);
}

void wait_for_bpf_readers() {
  // The global memory barrier is a grace period, but not to be had on kernels with nohz_full CPUs.
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
  static const MapOfMaps map;  // kept: later calls need no new descriptor
  GH_CHECK(map.update());
}

namespace {

// The device that the link pinned as `pin` is on; 0: none.
unsigned device_of_link(const std::string& pin) {
  const Fd link(bpf_obj_get(pin.c_str()));
  bpf_link_info info{};
  __u32 length = sizeof info;
  return link.is_open() && bpf_obj_get_info_by_fd(link.get(), &info, &length) == 0 ? info.xdp.ifindex : 0;
}

int create_xdp_link(const bpf_program* program, const std::string& interface, unsigned index, XdpMode mode) {
  if (mode == XdpMode::kGeneric) return create_xdp_link(program, index, XDP_FLAGS_SKB_MODE);
  const int link = create_xdp_link(program, index, XDP_FLAGS_DRV_MODE);
  const bool is_refused = link == -EOPNOTSUPP || link == -EINVAL;
  if (!is_refused || mode == XdpMode::kNative) return link;
  log_warn("{}: the driver has no native XDP; generic mode works but costs several times more per packet", interface);
  return create_xdp_link(program, index, XDP_FLAGS_SKB_MODE);
}

}  // namespace

Status attach_xdp(bpf_program* program, const std::string& interface, const std::string& pin, XdpMode mode) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return Error{"no interface \"" + interface + "\" on this host"};
  if (device_of_link(pin) == index && update_pinned_link(program, pin) == 0) return {};
  // A link on a device that went away, or on the one of an earlier config, is of no use to anybody.
  unlink(pin.c_str());
  const int link = create_xdp_link(program, interface, index, mode);
  if (link == -EBUSY || link == -EEXIST) return Error{interface + " has another XDP program already: take it off first"};
  if (link < 0) return bpf_error("cannot attach XDP to " + interface, link);
  if (const int code = pin_link(link, pin)) return bpf_error("cannot pin " + pin, code);
  return {};
}

std::string xdp_mode_of(const std::string& interface, const std::string& pin) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0 || device_of_link(pin) != index) return {};
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(index), 0, &query) != 0) return {};
  return query.attach_mode == XDP_ATTACHED_SKB ? "generic" : "native";
}

Status attach_sk_lookup(bpf_program* program, const std::string& pin) {
  if (update_pinned_link(program, pin) == 0) return {};
  unlink(pin.c_str());
  const Fd net(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!net.is_open()) return system_error("cannot open this process's network namespace");
  const int link = bpf_link_create(bpf_program__fd(program), net.get(), BPF_SK_LOOKUP, nullptr);
  if (link < 0) return bpf_error("cannot attach the steering program to the network namespace", -errno);
  if (const int code = pin_link(link, pin)) return bpf_error("cannot pin " + pin, code);
  return {};
}

void remove_pins(const std::string& folder) {
  if (!is_bpffs(folder)) return;  // never delete files of another kind
  std::error_code error;
  std::vector<std::filesystem::path> pins;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) pins.push_back(entry.path());
  for (const auto& pin : pins) unlink(pin.c_str());
  rmdir(folder.c_str());
}

}  // namespace gatehouse
