// What both tiers need around a libbpf skeleton: pin its maps so that they outlive the process, adopt those that an earlier
// process pinned, attach by pinned links and replace the program of a pinned link in one step. Nothing here knows what
// the programs do.
//
// Pins of one object live in one folder. Maps are adopted only when all of them fit the object (type, sizes, flags). A set
// that does not fit stays, and what uses it goes on, until the new one is loaded, filled and attached in its place: the new
// one is pinned in a folder beside it, which then takes its name.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "common/result.h"

struct bpf_map;
struct bpf_object;
struct bpf_program;

namespace gatehouse {

// Makes `folder` on a bpffs; mounts one at its parent when there is none. libbpf's own messages go to our log.
Status prepare_pin_folder(const std::string& folder);

// Where the maps of an object are pinned, and whether they were there already.
struct Pins {
  std::string folder;  // `wanted`, or one beside it
  std::string wanted;
  bool are_adopted = false;
};

// Between open and load: decides whether the set pinned in `folder` can be adopted and sets the pin path of every map. Load
// then reuses or pins.
Result<Pins> plan_pins(bpf_object* object, const std::string& folder);
// Once everything is attached: when the maps were pinned beside the wanted folder, they and the links take its place.
Status settle_pins(Pins& pins);

// Maps a BPF_F_MMAPABLE array into this process for reading and writing; lives until the process ends.
Result<std::span<std::byte>> map_memory(const bpf_map* map);

// Returns when no run of an XDP, tc or sk_lookup program that began before the call still goes on (an RCU grace period, some
// milliseconds): what such a run may have read can then be written anew.
void wait_for_bpf_readers();

enum class XdpMode { kAuto, kNative, kGeneric };  // auto: native, or generic with a warning

// Attaches `program` to `interface` by a link pinned as `pin`; when the pin exists its program is replaced atomically.
Status attach_xdp(bpf_program* program, const std::string& interface, const std::string& pin, XdpMode mode = XdpMode::kAuto);
// "native", "generic", or "" when the link pinned as `pin` is on no interface or not on this one.
std::string xdp_mode_of(const std::string& interface, const std::string& pin);
// The same for an sk_lookup program and the network namespace of this process.
Status attach_sk_lookup(bpf_program* program, const std::string& pin);

// Removes `folder` with everything pinned in it: links go away, and with them what they attached.
void remove_pins(const std::string& folder);

// Words for a failed libbpf call (negative errno).
Error bpf_error(const std::string& what, int code);

}  // namespace gatehouse
