#include "l7/supervisor/steering_cookies.h"

#include <time.h>

#include <algorithm>
#include <bit>
#include <fstream>

#include "common/check.h"
#include "common/log.h"
#include "l7/supervisor/listener_sockets.h"

namespace gatehouse::l7 {
namespace {

constexpr const char* kSyncookies = "/proc/sys/net/ipv4/tcp_syncookies";
// How long after the last cookie ACKs of no connection are still looked at. A flood renews it all the time.
constexpr std::uint64_t kFloodSeconds = 10;

// The n-th number of a file, from 0 on; 0 when it is not there.
std::uint64_t number_in(const std::string& file, int n = 0) {
  std::ifstream stream(file);
  std::uint64_t number = 0;
  for (int i = 0; i <= n; ++i) {
    if (!(stream >> number)) return 0;
  }
  return number;
}

// The programs' clock, whose tick is the resolution of the coarse clocks.
std::uint64_t ticks_in(std::uint64_t seconds) {
  timespec tick{};
  GH_CHECK(clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_nsec > 0);
  return seconds * 1'000'000'000 / static_cast<std::uint64_t>(tick.tv_nsec);
}

void set_syncookies(int value) {
  std::ofstream stream(kSyncookies);
  if (!(stream << value << std::flush)) log_error("cannot set {} to {}", kSyncookies, value);
}

}  // namespace

TcpSettings read_tcp_settings(const std::string& folder) {
  return {static_cast<int>(number_in(folder + "/ipv4/tcp_syncookies")),
          static_cast<int>(number_in(folder + "/ipv4/tcp_timestamps")),
          std::max(number_in(folder + "/ipv4/tcp_rmem", 2), number_in(folder + "/core/rmem_max"))};
}

std::uint8_t window_scale(std::uint64_t most_receive_buffer) {
  const int bits = static_cast<int>(std::bit_width(most_receive_buffer)) - 1;
  return static_cast<std::uint8_t>(std::clamp(bits - 15, 0, 14));
}

void write_cookies(gh_cookies& cookies, const config::Config& config, const TcpSettings& settings,
                   std::string& before) {
  const std::string& mode = config.protection.syn_cookies;
  if (mode == "always") set_syncookies(2);
  if (mode != "always" && before == "always") set_syncookies(1);
  if (mode == "auto" && settings.syncookies == 0)
    log_warn("{} is 0: this node has no defence against floods of SYNs", kSyncookies);
  cookies.segment_v4 = static_cast<__u16>(smallest_segment(config, true));
  cookies.segment_v6 = static_cast<__u16>(smallest_segment(config, false));
  cookies.scale = window_scale(settings.most_receive_buffer);
  cookies.has_timestamps = settings.timestamps == 2;
  cookies.valid_ticks = ticks_in(kFloodSeconds);
  cookies.is_on = mode != "off";
  before = mode;
}

}  // namespace gatehouse::l7
