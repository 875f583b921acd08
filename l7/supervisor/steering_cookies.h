// SYN cookies of a node (bpf/syn_cookie.h): what the program must know of the config and of this kernel's
// settings so that its answers are those that the kernel would have given.
#pragma once

#include <string>

#include "bpf/abi_guard.h"
#include "common/config/model.h"

namespace gatehouse::l7 {

// What the kernel is set to, as files below `folder` say it.
struct TcpSettings {
  int syncookies = 0;
  int timestamps = 0;
  std::uint64_t most_receive_buffer = 0;  // bytes
};
TcpSettings read_tcp_settings(const std::string& folder = "/proc/sys/net");

// The window scale that the kernel offers (tcp_select_initial_window): it takes for granted that the client
// has been told it.
std::uint8_t window_scale(std::uint64_t most_receive_buffer);

// Writes the settings for the programs. `before`: the mode until now, empty at start. "always" also tells the
// kernel.
void write_cookies(gh_cookies& cookies, const config::Config& config, const TcpSettings& settings,
                   std::string& before);

}  // namespace gatehouse::l7
