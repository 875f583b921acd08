// The XDP data plane: bpf/xdp.bpf.c on one or more interfaces, its maps pinned and mapped into this process. Everything
// outlives the process by its pins; the next one adopts them. Also attaches the probe program to the first interface's egress.
//
// Links, tables and the place for another operator's program are pinned under Options::pin_folder: link_xdp_NAME, map_NAME,
// map_next_program. Tables of another layout are replaced whole, once the new ones are filled.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/bpf_object.h"
#include "l4/data_plane.h"

namespace gatehouse::l4 {

class XdpDataPlane final : public DataPlane {
 public:
  struct Options {
    std::string pin_folder;
    std::vector<std::string> interfaces;
    std::uint32_t ring_slots = 65537;
    XdpMode mode = XdpMode::kAuto;
    std::string next_program;  // pinned; empty: what is in the place stays
    std::uint32_t ring_areas = 8;  // rings that there is room for
    std::uint32_t flow_lines = 1;  // of the flow cache, a power of two
    GuardSizes guard;
  };

  // Opens, adopts or makes the maps, loads. Nothing is attached yet: fill the tables, then attach().
  static Result<std::unique_ptr<XdpDataPlane>> open(const Options& options);
  ~XdpDataPlane() override;

  // On every interface; replaces the program of an earlier process atomically.
  Status attach() override;
  Status attach_again(const std::string& interface) override;
  // Only the probe program: another data plane forwards by these tables. Takes XDP off the interfaces.
  Status attach_probe_only();
  // Takes the programs off the interfaces and removes the pins.
  static void detach(const Options& options);

  const Tables& tables() override { return tables_; }
  void wait_for_readers() override;
  std::uint64_t ticks() override;
  std::uint32_t tick_multiplier() const override;
  bool was_adopted() const override { return pins_.are_adopted; }
  bool outlives_process() const override { return true; }
  std::vector<Port> ports() const override;

  Result<int> start_capture(const gh_capture_filter& filter) override;
  void stop_capture() override;

  // For tests and benchmarks: BPF_PROG_TEST_RUN of balance() once. Returns the XDP action; `packet` becomes the output.
  Result<int> test_run(std::vector<std::uint8_t>& packet);
  int program_fd() const;

 private:
  struct Programs;
  explicit XdpDataPlane(Options options);
  Status map_tables();
  Status map_guard();
  Status attach_everywhere(bpf_program* program);
  Status load_probe();
  Status attach_probe(const std::string& interface);
  Status load_capture();
  Status fill_next_program();
  std::string link_of(const std::string& interface) const;

  Options options_;
  std::unique_ptr<Programs> programs_;
  Pins pins_;
  Tables tables_;
};

}  // namespace gatehouse::l4
