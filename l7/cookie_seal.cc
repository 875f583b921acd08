// A sealed text is time (4 bytes) | random bits (4) | value XOR mask (8) | the first half of the tag (16).
#include "l7/cookie_seal.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "common/check.h"
#include "l7/tls/hkdf.h"

namespace gatehouse::l7 {
namespace {

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

}  // namespace

CookieKey derive_cookie_key(std::string_view secret) {
  CookieKey key;
  hkdf_sha256(secret, "gatehouse cookies", key);
  return key;
}

std::string to_hex(const CookieKeys& keys) {
  std::string text;
  for (const CookieKey* key : {&keys.present, keys.earlier ? &*keys.earlier : nullptr}) {
    if (!key) continue;
    for (const unsigned char byte : *key) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
  }
  return text;
}

std::optional<CookieKeys> cookie_keys_from_hex(std::string_view text) {
  CookieKeys keys;
  const std::size_t digits = 2 * keys.present.size();
  if (text.size() != digits && text.size() != 2 * digits) return std::nullopt;
  if (text.size() > digits) keys.earlier.emplace();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto digit = [](char c) {
      return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    CookieKey& key = i < digits ? keys.present : *keys.earlier;
    key[i % digits / 2] = static_cast<unsigned char>(high << 4 | low);
  }
  return keys;
}

CookieSeal::CookieSeal() : digest_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()) {
  GH_CHECK(digest_ && context_);
}

// RFC 2104.
CookieSeal::Tag CookieSeal::hmac(const unsigned char* key, Bytes first, Bytes second) {
  std::array<unsigned char, kBlock> inner, outer;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const unsigned char byte = i < kKey ? key[i] : 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  Tag tag;
  const auto hash = [&](Bytes a, Bytes b, Bytes c) {
    GH_CHECK(EVP_DigestInit_ex2(context_.get(), digest_.get(), nullptr) == 1);
    for (const Bytes part : {a, b, c})
      GH_CHECK(EVP_DigestUpdate(context_.get(), part.data(), part.size()) == 1);
    GH_CHECK(EVP_DigestFinal_ex(context_.get(), tag.data(), nullptr) == 1);
  };
  hash(inner, first, second);
  hash(outer, tag, {});
  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  return tag;
}

// `plain` has one length, so that none of it can be taken for scope.
CookieSeal::Tag CookieSeal::tag_of(const CookieKey& key, std::string_view scope, Bytes plain) {
  return hmac(key.data(), plain, {reinterpret_cast<const unsigned char*>(scope.data()), scope.size()});
}

std::uint64_t CookieSeal::mask_of(const CookieKey& key, const unsigned char* tag) {
  return load(hmac(key.data() + kKey, {tag, kTag}, {}).data(), sizeof(std::uint64_t));
}

CookieSeal::Text CookieSeal::seal(std::string_view scope, std::uint64_t value, std::int64_t now,
                                  std::uint64_t random) {
  GH_CHECK(is_set());
  std::array<unsigned char, kSealed> bytes;
  store(bytes.data(), static_cast<std::uint64_t>(now), 4);
  store(bytes.data() + 4, random, 4);
  store(bytes.data() + kValueAt, value, 8);
  const Tag tag = tag_of(keys_->present, scope, {bytes.data(), kPlain});
  std::copy_n(tag.begin(), kTag, bytes.begin() + kPlain);
  store(bytes.data() + kValueAt, value ^ mask_of(keys_->present, tag.data()), 8);
  return encode(bytes.data());
}

bool CookieSeal::open_with(const CookieKey& key, std::string_view scope, const unsigned char* sealed,
                           Opened& opened) {
  std::array<unsigned char, kPlain> plain;
  std::copy_n(sealed, kPlain, plain.begin());
  opened.value = load(sealed + kValueAt, 8) ^ mask_of(key, sealed + kPlain);
  store(plain.data() + kValueAt, opened.value, 8);
  return CRYPTO_memcmp(tag_of(key, scope, plain).data(), sealed + kPlain, kTag) == 0;
}

CookieSeal::Opened CookieSeal::open(std::string_view scope, std::string_view text, std::int64_t now,
                                    Duration ttl) {
  Opened opened;
  std::array<unsigned char, kSealed> sealed;
  if (!is_set() || !decode(text, sealed.data())) return {};
  const bool is_present = open_with(keys_->present, scope, sealed.data(), opened);
  if (!is_present && !(keys_->earlier && open_with(*keys_->earlier, scope, sealed.data(), opened))) return {};
  const std::int64_t age = now - static_cast<std::int64_t>(load(sealed.data(), 4));
  const std::int64_t longest = std::chrono::ceil<std::chrono::seconds>(ttl).count();
  const bool is_old = age < -kMostAhead || age > longest;
  opened.verdict = is_old ? Verdict::kOld : Verdict::kGood;
  opened.is_due = !is_present || age * 2 > longest;
  return opened;
}

}  // namespace gatehouse::l7
