// Runs a BPF program on packets as they would come, in the kernel's own test loop (BPF_PROG_TEST_RUN). The kernel keeps the packet
// between repeats, so that a plain repeat would measure packets that are encapsulated already: a wrapper (harness.bpf.c)
// restores the packet, draws a flow and tail-calls the program. Needs root.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/result.h"

struct harness_bpf;

namespace gatehouse::perf {

struct Run {
  enum class Around { kNothing, kIpv4, kIpv6, kScatteredIpv4, kScatteredIpv6, kTunnel };
  int program = -1;  // descriptor; with kNothing it stamps the time itself
  Around around = Around::kIpv4;
  std::vector<std::uint8_t> frame;
  std::uint32_t flows = 1;  // a power of two
  std::uint32_t vips = 1;   // a power of two
  std::uint16_t first_vip = 0;
  std::uint8_t tcp_flags = 0x10;
  std::uint64_t packets = 0;
};

struct Outcome {
  double nanoseconds = 0;  // per packet
  std::uint32_t action = 0;
  std::vector<std::uint8_t> frame;  // the last packet, as the program left it
};

class Wrapper {
 public:
  static Result<std::unique_ptr<Wrapper>> open();
  ~Wrapper();

  // Fails when one packet did not reach the program, or the program called it a failure.
  Result<Outcome> run(const Run& run);

  struct Floors {
    int loop, transmit, prepend_ipv4, prepend_ipv6, look_up;
  };
  Floors floors() const;

 private:
  Wrapper() = default;
  int prepare(const Run& run);

  harness_bpf* harness_ = nullptr;
};

}  // namespace gatehouse::perf
