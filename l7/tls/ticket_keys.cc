#include "l7/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "common/check.h"
#include "common/hex.h"
#include "l7/tls/hkdf.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kKeyBytes = 80;
constexpr std::size_t kPresent = 1;
// What a ticket callback may say.
constexpr int kNone = 0, kUsed = 1, kUsedAndRenew = 2, kFailed = -1;

std::array<unsigned char, kKeyBytes> derive(std::string_view secret, std::uint64_t epoch) {
  std::string purpose = "gatehouse session tickets ";
  for (int shift = 56; shift >= 0; shift -= 8) purpose += static_cast<char>(epoch >> shift);
  std::array<unsigned char, kKeyBytes> key;
  hkdf_sha256(secret, purpose, key);
  return key;
}

TicketKey key_from(const unsigned char* bytes) {
  TicketKey key;
  std::memcpy(key.name.data(), bytes, 16);
  std::memcpy(key.cipher.data(), bytes + 16, 32);
  std::memcpy(key.mac.data(), bytes + 48, 32);
  return key;
}

bool set_mac_key(EVP_MAC_CTX* mac, const TicketKey& key) {
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.mac.data()),
                                        key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

int keys_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

std::uint64_t ticket_epoch(std::chrono::system_clock::time_point time, Duration lifetime) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<Duration>(time.time_since_epoch()) / lifetime);
}

TicketWindow derive_ticket_keys(std::string_view secret, std::uint64_t epoch) {
  TicketWindow window;
  for (std::size_t i = 0; i < window.size(); ++i)
    window[i] = key_from(derive(secret, epoch + i - kPresent).data());
  return window;
}

std::string to_hex(const TicketWindow& keys) {
  std::string text;
  for (const TicketKey& key : keys)
    text += gatehouse::to_hex(key.name) + gatehouse::to_hex(key.cipher) + gatehouse::to_hex(key.mac);
  return text;
}

std::optional<TicketWindow> ticket_window_from_hex(std::string_view text) {
  TicketWindow window;
  std::array<unsigned char, 3 * kKeyBytes> bytes;
  if (text.size() != 2 * bytes.size()) return std::nullopt;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<unsigned char>(high << 4 | low);
  }
  for (std::size_t i = 0; i < window.size(); ++i) window[i] = key_from(bytes.data() + i * kKeyBytes);
  return window;
}

TicketKeys::TicketKeys() : aes_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)) { GH_CHECK(aes_); }

void TicketKeys::attach(SSL_CTX* context, Duration lifetime) const {
  GH_CHECK(SSL_CTX_set_ex_data(context, keys_index(), const_cast<TicketKeys*>(this)) == 1);
  GH_CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &TicketKeys::on_ticket) == 1);
  SSL_CTX_set_timeout(context, std::chrono::duration_cast<std::chrono::seconds>(lifetime).count());
  SSL_CTX_set_num_tickets(context, 1);
}

// OpenSSL asks the context that a connection began with, whatever certificate was chosen later: all have the
// same keys.
int TicketKeys::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int is_new) {
  const auto* keys = static_cast<const TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index()));
  if (!keys || !keys->are_set()) return kNone;
  return is_new ? keys->prepare_new(name, iv, cipher, mac) : keys->prepare_known(ssl, name, iv, cipher, mac);
}

int TicketKeys::prepare_new(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                            EVP_MAC_CTX* mac) const {
  const TicketKey& key = (*keys_)[kPresent];
  if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(aes_.get())) != 1) return kFailed;
  std::memcpy(name, key.name.data(), key.name.size());
  const bool is_ready =
      EVP_EncryptInit_ex2(cipher, aes_.get(), key.cipher.data(), iv, nullptr) == 1 && set_mac_key(mac, key);
  return is_ready ? kUsed : kFailed;
}

int TicketKeys::prepare_known(SSL* ssl, const unsigned char* name, const unsigned char* iv,
                              EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const {
  for (std::size_t i = 0; i < keys_->size(); ++i) {
    const TicketKey& key = (*keys_)[i];
    if (std::memcmp(name, key.name.data(), key.name.size()) != 0) continue;
    if (EVP_DecryptInit_ex2(cipher, aes_.get(), key.cipher.data(), iv, nullptr) != 1 ||
        !set_mac_key(mac, key))
      return kFailed;
    // Clients of TLS 1.3 use a ticket once (RFC 8446 §C.4): each resumption hands out the next.
    return SSL_version(ssl) == TLS1_3_VERSION || i < kPresent ? kUsedAndRenew : kUsed;
  }
  return kNone;
}

}  // namespace gatehouse::l7
