// What our own cookies say, so that clients can neither read nor make it: a number of 64 bits with the time
// at which it was said, encrypted and authenticated with keys that are derived from a secret all nodes of a
// site share. The construction is SIV's (RFC 5297) over HMAC-SHA256: the tag of the plain text is the nonce
// of its mask, so nothing depends on random numbers being unique.
//
// A sealed text is for one scope: that of another cookie does not open it. Takes no memory once warm.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/openssl_ptr.h"
#include "common/units.h"

namespace gatehouse::l7 {

using CookieKey = std::array<unsigned char, 64>;  // of the tag, of the mask

struct CookieKeys {
  CookieKey present{};
  std::optional<CookieKey> earlier;  // opens what was sealed before the secret was another one
  bool operator==(const CookieKeys&) const = default;
};

CookieKey derive_cookie_key(std::string_view secret);
// As text, for the control protocol.
std::string to_hex(const CookieKeys& keys);
std::optional<CookieKeys> cookie_keys_from_hex(std::string_view text);

class CookieSeal {
 public:
  static constexpr std::size_t kLength = 43;  // of a sealed text: 32 bytes in base64url (RFC 4648 §5)
  using Text = std::array<char, kLength>;

  enum class Verdict : std::uint8_t { kGood, kForged, kOld };
  struct Opened {
    Verdict verdict = Verdict::kForged;
    std::uint64_t value = 0;
    bool is_due =
        false;  // good, but to be sealed anew: half of its time is over, or the key is the earlier one
  };

  CookieSeal();
  void set(const CookieKeys& keys) { keys_ = keys; }
  bool is_set() const { return keys_.has_value(); }  // before, nothing can be sealed or opened

  // `now`: seconds since 1970. `random`: any bits.
  Text seal(std::string_view scope, std::uint64_t value, std::int64_t now, std::uint64_t random);
  Opened open(std::string_view scope, std::string_view text, std::int64_t now, Duration ttl);

 private:
  using Bytes = std::span<const unsigned char>;
  using Tag = std::array<unsigned char, 32>;
  Tag hmac(const unsigned char* key, Bytes first, Bytes second);
  // `plain`: time, random bits and value.
  Tag tag_of(const CookieKey& key, std::string_view scope, Bytes plain);
  std::uint64_t mask_of(const CookieKey& key, const unsigned char* tag);
  bool open_with(const CookieKey& key, std::string_view scope, const unsigned char* sealed, Opened& opened);

  std::unique_ptr<EVP_MD, OpensslFree<EVP_MD_free>> digest_;
  std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>> context_;
  std::optional<CookieKeys> keys_;
};

}  // namespace gatehouse::l7
