// Keys of session tickets (RFC 5077, RFC 8446 §4.6.1). They are derived from a secret and the number of the
// ticket lifetime that has begun, so whoever has the secret has the same keys at the same time: all workers,
// and all nodes of a site that share one. Three are in use: a ticket is written with the present one; those
// of the lifetime before and of the one to come (another node's clock may be ahead) are read too.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/openssl_ptr.h"
#include "common/units.h"

namespace gatehouse::l7 {

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> cipher;  // AES-256-CBC
  std::array<unsigned char, 32> mac;     // HMAC-SHA256
  bool operator==(const TicketKey&) const = default;
};

// Previous, present, next.
using TicketWindow = std::array<TicketKey, 3>;

std::uint64_t ticket_epoch(std::chrono::system_clock::time_point time, Duration lifetime);
TicketWindow derive_ticket_keys(std::string_view secret, std::uint64_t epoch);

// As text, for the control protocol.
std::string to_hex(const TicketWindow& keys);
std::optional<TicketWindow> ticket_window_from_hex(std::string_view text);

// What a worker writes and reads tickets with. Outlives the contexts that it is attached to.
class TicketKeys {
 public:
  TicketKeys();
  TicketKeys(const TicketKeys&) = delete;

  void set(const TicketWindow& keys) { keys_ = keys; }
  bool are_set() const { return keys_.has_value(); }
  // Without keys `context` writes no tickets and takes none.
  void attach(SSL_CTX* context, Duration lifetime) const;

 private:
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int is_new);
  int prepare_new(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const;
  int prepare_known(SSL* ssl, const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                    EVP_MAC_CTX* mac) const;

  std::optional<TicketWindow> keys_;
  std::unique_ptr<EVP_CIPHER, OpensslFree<EVP_CIPHER_free>> aes_;  // looked up once, not once per ticket
};

}  // namespace gatehouse::l7
