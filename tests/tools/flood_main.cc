// gatehouse-flood: SYNs from forged IPv4 sources to one address and port, as fast as this host can send, for
// a bounded time. Prints how many there were, as JSON. The interface's peer, if it is a veth, needs a program
// of its own or GRO. For labs only: it needs root.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "common/fd.h"
#include "common/units.h"
#include "tests/support/packet_builder.h"
#include "tests/tools/flags.h"
#include "tests/tools/flood.skel.h"

namespace {

using namespace gatehouse;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBatch = 64;
constexpr int kRepeat = 65'536;                 // SYNs between two looks at the clock
constexpr const char* kNetwork = "198.18.0.0";  // for benchmarks: RFC 2544
constexpr std::uint32_t kHosts = 0x1ffff;       // a /15

struct Settings {
  std::string interface;
  test::Mac router{};
  Endpoint target;
  Duration duration{3'000};
};

test::Mac own_mac(const std::string& interface) {
  const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
  test::Mac mac{};
  if (ioctl(any.get(), SIOCGIFHWADDR, &request) == 0)
    std::copy_n(request.ifr_hwaddr.sa_data, mac.size(), mac.begin());
  return mac;
}

// Sums over what stays the same take the place of checksums.
test::Bytes make_model(const Settings& settings) {
  test::Bytes frame = test::PacketBuilder()
                          .ethernet(settings.router, own_mac(settings.interface))
                          .ipv4("0.0.0.0", to_string(settings.target.address))
                          .tcp(0, settings.target.port, test::kSyn)
                          .options(test::from_hex("020405b4 0402 080a 00112233 00000000 01 030307"))
                          .build();
  for (int i = 0; i < 4; ++i) frame[14 + 20 + 4 + i] = 0;
  const auto sum_of = [&frame](std::size_t from, std::size_t to, std::uint32_t sum) {
    for (std::size_t at = from; at < to; at += 2)
      sum += static_cast<std::uint32_t>(frame[at + 1] << 8 | frame[at]);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
  };
  frame[24] = frame[25] = frame[50] = frame[51] = 0;
  const std::uint16_t ip = sum_of(14, 34, 0);
  const std::uint16_t tcp = sum_of(
      30, 74, static_cast<std::uint32_t>(6 << 8) + static_cast<std::uint32_t>((frame.size() - 34) << 8));
  std::memcpy(frame.data() + 24, &ip, 2);
  std::memcpy(frame.data() + 50, &tcp, 2);
  return frame;
}

int flood(const Settings& settings) {
  flood_bpf* program = flood_bpf__open_and_load();
  if (!program) return std::perror("gatehouse-flood: load"), 1;
  test::Bytes frame = make_model(settings);
  std::copy(frame.begin(), frame.end(), program->bss->model);
  const auto network = IpAddress::parse(kNetwork)->bytes;
  program->bss->source_network =
      static_cast<std::uint32_t>(network[12] << 24 | network[13] << 16 | network[14] << 8 | network[15]);
  program->bss->source_hosts = kHosts;
  program->bss->random_state = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  xdp_md context{};
  context.data_end = static_cast<__u32>(frame.size());
  context.ingress_ifindex = if_nametoindex(settings.interface.c_str());
  LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame.data(),
              .data_size_in = static_cast<__u32>(frame.size()), .ctx_in = &context,
              .ctx_size_in = sizeof context, .repeat = kRepeat, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
              .batch_size = kBatch);
  const auto started = Clock::now();
  while (Clock::now() - started < settings.duration) {
    if (const int code = bpf_prog_test_run_opts(bpf_program__fd(program->progs.flood), &run);
        code != 0 && code != -EINTR) {
      std::fprintf(stderr, "gatehouse-flood: run: %s\n", std::strerror(-code));
      return 1;
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - started).count();
  const auto sent = static_cast<unsigned long long>(program->bss->sent);
  std::printf("{\"sent\": %llu, \"seconds\": %.3f, \"per_second\": %.0f}\n", sent, seconds,
              static_cast<double>(sent) / seconds);
  flood_bpf__destroy(program);
  return 0;
}

bool take_mac(std::string_view text, test::Mac& mac) {
  unsigned bytes[6];
  if (std::sscanf(std::string(text).c_str(), "%x:%x:%x:%x:%x:%x", bytes, bytes + 1, bytes + 2, bytes + 3,
                  bytes + 4, bytes + 5) != 6)
    return false;
  std::copy(bytes, bytes + 6, mac.begin());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  test::parse_flags(argc, argv,
                    {{"--interface", "NAME", "where to send",
                      [&](std::string_view text) { return !(settings.interface = text).empty(); }},
                     {"--router", "MAC", "whom to send to",
                      [&](std::string_view text) { return take_mac(text, settings.router); }},
                     {"--to", "ADDR:PORT", "IPv4 address and port of the flood",
                      [&](std::string_view text) {
                        const auto target = Endpoint::parse(text);
                        if (target) settings.target = *target;
                        return target && target->address.is_v4();
                      }},
                     {"--duration", "DURATION", "for so long (3s)", [&](std::string_view text) {
                        const auto duration = parse_duration(text);
                        if (duration) settings.duration = *duration;
                        return duration.has_value();
                      }}});
  return flood(settings);
}
