// The decoder's tables are computed here by FIPS 197; the encoder goes by the draft's text and OpenSSL's AES,
// so that the two are checked against each other.
#include "l4/quic_cid.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <memory>

#include "common/check.h"
#include "common/hex.h"

namespace gatehouse::l4 {
namespace {

using Block = std::array<std::uint8_t, 16>;
using Boxes = std::array<std::array<std::uint8_t, 256>, GH_AES_DIRECTIONS>;

// In the field of AES (FIPS 197 §4.2).
std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0, factor = a;
  for (; b; b = static_cast<std::uint8_t>(b >> 1)) {
    if (b & 1) product ^= factor;
    factor = factor << 1 ^ (factor & 0x80 ? 0x11b : 0);
  }
  return static_cast<std::uint8_t>(product);
}

// The S-box (§5.1.1) and its inverse.
Boxes make_boxes() {
  Boxes boxes{};
  for (unsigned value = 0; value < 256; ++value) {
    std::uint8_t inverse = 0;
    for (unsigned other = 1; other < 256 && value; ++other) {
      if (multiply(static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(other)) == 1)
        inverse = static_cast<std::uint8_t>(other);
    }
    unsigned box = 0x63;
    for (int turn = 0; turn < 5; ++turn)
      box ^= static_cast<unsigned>(inverse << turn | inverse >> (8 - turn)) & 0xff;
    boxes[GH_AES_ENCRYPT][value] = static_cast<std::uint8_t>(box);
    boxes[GH_AES_DECRYPT][box] = static_cast<std::uint8_t>(value);
  }
  return boxes;
}

const Boxes& boxes() {
  static const Boxes kBoxes = make_boxes();
  return kBoxes;
}

// A column's byte times the first column of (Inv)MixColumns (§5.1.3, §5.3.3), most significant first.
std::uint32_t mix(std::uint8_t byte, int direction) {
  static constexpr std::uint8_t kFactors[GH_AES_DIRECTIONS][4] = {{2, 1, 1, 3}, {14, 9, 13, 11}};
  std::uint32_t column = 0;
  for (const std::uint8_t factor : kFactors[direction]) column = column << 8 | multiply(byte, factor);
  return column;
}

std::uint32_t rotate_right(std::uint32_t word, int bits) {
  return bits ? word >> bits | word << (32 - bits) : word;
}

std::uint32_t substitute(std::uint32_t word) {
  std::uint32_t result = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    result |= static_cast<std::uint32_t>(boxes()[GH_AES_ENCRYPT][word >> shift & 0xff]) << shift;
  }
  return result;
}

// §5.2
std::array<std::uint32_t, 44> expand_key(const QuicLb::Key& key) {
  std::array<std::uint32_t, 44> words{};
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t byte = 0; byte < 4; ++byte) words[i] = words[i] << 8 | key[4 * i + byte];
  }
  std::uint8_t round = 1;
  for (std::size_t i = 4; i < words.size(); ++i) {
    std::uint32_t word = words[i - 1];
    if (i % 4 == 0) {
      word = substitute(rotate_right(word, 24)) ^ static_cast<std::uint32_t>(round) << 24;
      round = multiply(round, 2);
    }
    words[i] = words[i - 4] ^ word;
  }
  return words;
}

// §5.3.5: rounds backwards, all but the first and last through InvMixColumns, columns in the order of
// bpf/aes.h.
std::array<std::uint32_t, 44> for_decryption(const std::array<std::uint32_t, 44>& words) {
  std::array<std::uint32_t, 44> keys{};
  for (std::size_t round = 0; round <= 10; ++round) {
    for (std::size_t column = 0; column < 4; ++column) {
      std::uint32_t word = words[4 * (10 - round) + column];
      if (round != 0 && round != 10) {
        std::uint32_t mixed = 0;
        for (int byte = 0; byte < 4; ++byte) {
          mixed ^=
              rotate_right(mix(static_cast<std::uint8_t>(word >> (24 - 8 * byte)), GH_AES_DECRYPT), 8 * byte);
        }
        word = mixed;
      }
      keys[4 * round + (4 - column) % 4] = word;
    }
  }
  return keys;
}

// The first `count` bytes of sixteen.
void set_mask(__u64 (&mask)[2], std::size_t count, std::uint8_t first, std::uint8_t last) {
  Block bytes{};
  std::fill_n(bytes.begin(), count, 0xff);
  bytes[0] = first;
  if (count > 1 || last != 0xff) bytes[count - 1] = last;
  std::memcpy(mask, bytes.data(), sizeof mask);
}

Block encrypt(const QuicLb::Key& key, const Block& block) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  Block result{};
  int length = 0;
  GH_CHECK(context &&
           EVP_EncryptInit_ex(context.get(), EVP_aes_128_ecb(), nullptr, key.data(), nullptr) == 1);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  GH_CHECK(EVP_EncryptUpdate(context.get(), result.data(), &length, block.data(),
                             static_cast<int>(block.size())) == 1);
  return result;
}

// §5.4.2 of the draft, steps 2 to 12, in place.
void encrypt_four_passes(const QuicLb::Key& key, std::vector<std::uint8_t>& text) {
  const std::size_t length = text.size(), half = (length + 1) / 2;
  const bool is_odd = length % 2 != 0;
  std::vector<std::uint8_t> left(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(half));
  std::vector<std::uint8_t> right(text.end() - static_cast<std::ptrdiff_t>(half), text.end());
  const auto clear_middle = [&] {
    if (is_odd) left.back() &= 0xf0, right.front() &= 0x0f;
  };
  clear_middle();
  for (std::uint8_t pass = 1; pass <= 4; ++pass) {
    const bool is_right = pass % 2 != 0;
    const auto& from = is_right ? left : right;
    auto& to = is_right ? right : left;
    Block block{};
    std::copy(from.begin(), from.end(), block.begin());
    block[14] = static_cast<std::uint8_t>(length);
    block[15] = pass;
    block = encrypt(key, block);
    for (std::size_t i = 0; i < half; ++i) to[i] ^= block[i];
    clear_middle();
  }
  for (std::size_t i = 0; i < length; ++i) text[i] = i < half ? left[i] : 0;
  for (std::size_t i = 0; i < half; ++i) text[length - half + i] |= right[i];
}

}  // namespace

Result<QuicLb::Key> read_quic_key(const std::string& file) {
  std::ifstream stream(file);
  if (!stream) return system_error("QUIC key: cannot read " + file);
  QuicLb::Key key{};
  std::size_t digits = 0;
  for (char c; stream.get(c);) {
    if (c == ' ' || c == '\n' || c == '\r') continue;
    const int digit = hex_value(c);
    if (digit < 0 || digits == 32) return Error{"QUIC key: " + file + ": expected 32 hexadecimal digits"};
    key[digits / 2] = static_cast<std::uint8_t>(key[digits / 2] << 4 | digit);
    ++digits;
  }
  if (digits != 32)
    return Error{"QUIC key: " + file + ": expected 32 hexadecimal digits, found " + std::to_string(digits)};
  return key;
}

void fill_aes_tables(std::span<gh_aes> tables) {
  for (int direction = 0; direction < GH_AES_DIRECTIONS; ++direction) {
    gh_aes& table = tables[static_cast<std::size_t>(direction)];
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint8_t box = boxes()[static_cast<std::size_t>(direction)][byte];
      const std::uint32_t column = mix(box, direction);
      for (int row = 0; row < 4; ++row) table.round[row][byte] = rotate_right(column, 8 * row);
      table.box[byte] = box;
    }
  }
}

gh_quic make_quic(const QuicLb& config) {
  gh_quic quic{};
  const std::size_t length = config.server_id_length + config.nonce_length, half = (length + 1) / 2;
  const bool is_odd = length % 2 != 0;
  quic.length = static_cast<__u8>(length);
  quic.server_id_length = config.server_id_length;
  quic.right_offset = static_cast<__u8>(length - half);
  set_mask(quic.server_id_mask, config.server_id_length, 0xff, 0xff);
  if (!config.key) return quic;
  quic.is_encrypted = 1;
  set_mask(quic.left_mask, half, 0xff, is_odd ? 0xf0 : 0xff);
  set_mask(quic.right_mask, half, is_odd ? 0x0f : 0xff, 0xff);
  const auto words = expand_key(*config.key);
  const auto keys = length == sizeof(Block) ? for_decryption(words) : words;
  std::copy(keys.begin(), keys.end(), quic.keys);
  return quic;
}

gh_address quic_line_address(std::span<const std::uint8_t> server_id) {
  Block bytes{};
  GH_CHECK(server_id.size() < bytes.size());
  std::copy(server_id.begin(), server_id.end(), bytes.begin());
  gh_address address;
  std::memcpy(&address, bytes.data(), sizeof address);
  return address;
}

std::vector<std::uint8_t> make_connection_id(const QuicLb& config, std::span<const std::uint8_t> server_id,
                                             std::span<const std::uint8_t> nonce) {
  GH_CHECK(server_id.size() == config.server_id_length && nonce.size() == config.nonce_length &&
           config.config_id < 7);
  std::vector<std::uint8_t> text(server_id.begin(), server_id.end());
  text.insert(text.end(), nonce.begin(), nonce.end());
  if (config.key && text.size() == sizeof(Block)) {
    Block block;
    std::copy(text.begin(), text.end(), block.begin());
    block = encrypt(*config.key, block);
    text.assign(block.begin(), block.end());
  } else if (config.key) {
    encrypt_four_passes(*config.key, text);
  }
  text.insert(text.begin(), static_cast<std::uint8_t>(config.config_id << 5 | text.size()));
  return text;
}

}  // namespace gatehouse::l4
