// A sealed text is time (4 bytes) | random bits (4) | value XOR mask (8) | the first half of the tag (16).
#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_*

#include "l7/cookie_seal.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <span>
#include <utility>

#include "common/check.h"
#include "common/hex.h"
#include "l7/tls/hkdf.h"

namespace gatehouse::l7 {
namespace {

using Tag = std::array<unsigned char, SHA256_DIGEST_LENGTH>;

constexpr std::size_t kPlain = 16, kTag = 16, kSealed = kPlain + kTag;
constexpr std::size_t kValueAt = 8;
constexpr std::size_t kKey = 32, kBlock = 64;
constexpr std::int64_t kMostAhead = 300;  // seconds: clocks of nodes differ
constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

void store(unsigned char* out, std::uint64_t value, std::size_t size) {
  for (std::size_t i = size; i > 0; --i, value >>= 8) out[i - 1] = static_cast<unsigned char>(value);
}
std::uint64_t load(const unsigned char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) value = value << 8 | bytes[i];
  return value;
}

CookieSeal::Text encode(const unsigned char* bytes) {
  CookieSeal::Text text;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t bit = i * 6, byte = bit / 8;
    const unsigned pair =
        static_cast<unsigned>(bytes[byte] << 8) | (byte + 1 < kSealed ? bytes[byte + 1] : 0u);
    text[i] = kLetters[pair >> (10 - bit % 8) & 63];
  }
  return text;
}

// One text for the same bytes only: the bits that are left over are 0.
bool decode(std::string_view text, unsigned char* bytes) {
  if (text.size() != CookieSeal::kLength) return false;
  unsigned held = 0, bits = 0;
  for (const char c : text) {
    const int value = value_of(c);
    if (value < 0) return false;
    held = held << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    *bytes++ = static_cast<unsigned char>(held >> bits);
    held &= (1u << bits) - 1;
  }
  return held == 0;
}

// HMAC (RFC 2104) by the block functions: both halves of a key are hashed once, not once per cookie, and
// nothing is allocated, which takes a third of the time of EVP.
class Hmac {
 public:
  explicit Hmac(std::span<const unsigned char> key) {
    std::array<unsigned char, kBlock> block;
    for (const auto& [half, pad] : {std::pair(&inner_, 0x36), std::pair(&outer_, 0x5c)}) {
      for (std::size_t i = 0; i < kBlock; ++i)
        block[i] = static_cast<unsigned char>((i < key.size() ? key[i] : 0) ^ pad);
      SHA256_Init(half);
      SHA256_Update(half, block.data(), block.size());
    }
    OPENSSL_cleanse(block.data(), block.size());
  }
  ~Hmac() {
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }
  Tag of(std::span<const unsigned char> first, std::string_view second = {}) const {
    Tag tag;
    SHA256_CTX hash = inner_;
    SHA256_Update(&hash, first.data(), first.size());
    SHA256_Update(&hash, second.data(), second.size());
    SHA256_Final(tag.data(), &hash);
    hash = outer_;
    SHA256_Update(&hash, tag.data(), tag.size());
    SHA256_Final(tag.data(), &hash);
    return tag;
  }

 private:
  SHA256_CTX inner_;
  SHA256_CTX outer_;
};

}  // namespace

CookieKey derive_cookie_key(std::string_view secret) {
  CookieKey key;
  hkdf_sha256(secret, "gatehouse cookies", key);
  return key;
}

std::string to_hex(const CookieKeys& keys) {
  return gatehouse::to_hex(keys.present) + (keys.earlier ? gatehouse::to_hex(*keys.earlier) : "");
}

std::optional<CookieKeys> cookie_keys_from_hex(std::string_view text) {
  CookieKeys keys;
  const std::size_t digits = 2 * keys.present.size();
  if (text.size() != digits && text.size() != 2 * digits) return std::nullopt;
  if (text.size() > digits) keys.earlier.emplace();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]), low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    CookieKey& key = i < digits ? keys.present : *keys.earlier;
    key[i % digits / 2] = static_cast<unsigned char>(high << 4 | low);
  }
  return keys;
}

struct CookieSeal::Schedule {
  explicit Schedule(const CookieKey& key)
      : tag(std::span(key).first(kKey)), mask(std::span(key).subspan(kKey)) {}
  std::uint64_t mask_of(const unsigned char* sealed_tag) const {
    return load(mask.of({sealed_tag, kTag}).data(), sizeof(std::uint64_t));
  }
  Hmac tag;  // of time, random bits and value, which have one length, and then the scope
  Hmac mask;
};

CookieSeal::CookieSeal() = default;
CookieSeal::~CookieSeal() = default;

void CookieSeal::set(const CookieKeys& keys) {
  present_ = std::make_unique<Schedule>(keys.present);
  earlier_ = keys.earlier ? std::make_unique<Schedule>(*keys.earlier) : nullptr;
}

CookieSeal::Text CookieSeal::seal(std::string_view scope, std::uint64_t value, std::int64_t now,
                                  std::uint64_t random) {
  GH_CHECK(is_set());
  std::array<unsigned char, kSealed> bytes;
  store(bytes.data(), static_cast<std::uint64_t>(now), 4);
  store(bytes.data() + 4, random, 4);
  store(bytes.data() + kValueAt, value, 8);
  const Tag tag = present_->tag.of({bytes.data(), kPlain}, scope);
  std::copy_n(tag.begin(), kTag, bytes.begin() + kPlain);
  store(bytes.data() + kValueAt, value ^ present_->mask_of(tag.data()), 8);
  return encode(bytes.data());
}

bool CookieSeal::open_with(const Schedule& key, std::string_view scope, const unsigned char* sealed,
                           Opened& opened) const {
  std::array<unsigned char, kPlain> plain;
  std::copy_n(sealed, kPlain, plain.begin());
  opened.value = load(sealed + kValueAt, 8) ^ key.mask_of(sealed + kPlain);
  store(plain.data() + kValueAt, opened.value, 8);
  return CRYPTO_memcmp(key.tag.of(plain, scope).data(), sealed + kPlain, kTag) == 0;
}

CookieSeal::Opened CookieSeal::open(std::string_view scope, std::string_view text, std::int64_t now,
                                    Duration ttl) {
  Opened opened;
  std::array<unsigned char, kSealed> sealed;
  if (!is_set() || !decode(text, sealed.data())) return {};
  const bool is_present = open_with(*present_, scope, sealed.data(), opened);
  if (!is_present && !(earlier_ && open_with(*earlier_, scope, sealed.data(), opened))) return {};
  const std::int64_t age = now - static_cast<std::int64_t>(load(sealed.data(), 4));
  const std::int64_t longest = std::chrono::ceil<std::chrono::seconds>(ttl).count();
  const bool is_old = age < -kMostAhead || age > longest;
  opened.verdict = is_old ? Verdict::kOld : Verdict::kGood;
  opened.is_due = !is_present || age * 2 > longest;
  return opened;
}

}  // namespace gatehouse::l7
