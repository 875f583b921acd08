// What both tiers need around a libbpf skeleton: pin its maps so that they outlive the process, adopt those that an earlier
// process pinned, attach by pinned links and replace the program of a pinned link in one step. Nothing here knows what
// the programs do.
//
// Pins of one object live in one folder. Maps are adopted only when all of them fit the object (type, sizes, flags);
// otherwise the old set is removed, with a line in the log, and what it forwarded begins anew.
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

// Between open and load: sets the pin path of every map and decides whether the pinned set can be adopted. Load then
// reuses or pins. Returns whether the maps were adopted.
Result<bool> adopt_or_pin_maps(bpf_object* object, const std::string& folder);

// Maps a BPF_F_MMAPABLE array into this process for reading and writing; lives until the process ends.
Result<std::span<std::byte>> map_memory(const bpf_map* map);

// Returns when no run of an XDP, tc or sk_lookup program that began before the call still goes on (an RCU grace period, some
// milliseconds): what such a run may have read can then be written anew.
void wait_for_bpf_readers();

// Attaches `program` to `interface` by a link pinned as `pin`, native mode first, generic with a warning; when the pin
// exists its program is replaced atomically.
Status attach_xdp(bpf_program* program, const std::string& interface, const std::string& pin);
// The same for an sk_lookup program and the network namespace of this process.
Status attach_sk_lookup(bpf_program* program, const std::string& pin);

// Removes `folder` with everything pinned in it: links go away, and with them what they attached.
void remove_pins(const std::string& folder);

// Words for a failed libbpf call (negative errno).
Error bpf_error(const std::string& what, int code);

}  // namespace gatehouse
