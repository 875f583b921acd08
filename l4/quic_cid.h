// QUIC-LB in user space: what the packet core needs to read connection ids (tables of AES, round keys,
// masks), and how a server makes them. Nothing here can fail but by a configuration that validate_site.cc
// refuses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bpf/abi_service.h"
#include "common/result.h"

namespace gatehouse::l4 {

// draft-ietf-quic-load-balancers-21 §5. A server id has 1 to 15 bytes, a nonce 4 or more, together 19 at
// most.
struct QuicLb {
  using Key = std::array<std::uint8_t, 16>;
  std::uint8_t config_id = 0;  // 0..6
  std::uint8_t server_id_length = 0;
  std::uint8_t nonce_length = 0;
  std::optional<Key> key;  // none: in the clear
};

// A file with 32 hexadecimal digits, spaces and line ends aside.
Result<QuicLb::Key> read_quic_key(const std::string& file);

// `tables`: GH_AES_DIRECTIONS of them.
void fill_aes_tables(std::span<gh_aes> tables);
gh_quic make_quic(const QuicLb& config);
// How a server id stands in a service line.
gh_address quic_line_address(std::span<const std::uint8_t> server_id);

// What a server gives its clients: the first byte says its length. `nonce` must differ from one connection id
// to the next.
std::vector<std::uint8_t> make_connection_id(const QuicLb& config, std::span<const std::uint8_t> server_id,
                                             std::span<const std::uint8_t> nonce);

}  // namespace gatehouse::l4
