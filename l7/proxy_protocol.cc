// Both versions of the PROXY protocol. Section numbers are those of proxy-protocol.txt.
#include "l7/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "common/check.h"

namespace gatehouse::l7 {
namespace {

constexpr std::string_view kSignature{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view kWord = "PROXY ";
constexpr std::size_t kLongestLine = 107;  // §2.1, with CRLF
constexpr std::size_t kFixed = 16;         // §2.2, before the addresses

enum Type : std::uint8_t {
  kAlpn = 0x01,
  kAuthority = 0x02,
  kCrc32c = 0x03,
  kSsl = 0x20,
  kSslVersion = 0x21,
  kSslCipher = 0x23
};
constexpr std::uint8_t kClientSsl = 0x01;
constexpr std::size_t kSslFixed = 5;  // client flags and verify
constexpr std::size_t kLongestValue = 255;

ProxyResult malformed(const char* reason) { return {ProxyStatus::kMalformed, 0, reason}; }
ProxyResult need_more() { return {}; }

std::uint8_t byte_at(std::string_view bytes, std::size_t place) {
  return static_cast<std::uint8_t>(bytes[place]);
}
std::size_t number16(std::string_view bytes, std::size_t place) {
  return byte_at(bytes, place) << 8 | byte_at(bytes, place + 1);
}

// ---- version 1

std::string_view take_word(std::string_view& line) {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const bool has_leading_zero = text.size() > 1 && text[0] == '0';
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !has_leading_zero && error == std::errc() && end == text.data() + text.size();
}

bool parse_address(std::string_view text, bool is_v6, IpAddress& address) {
  const auto parsed = IpAddress::parse(text);
  if (!parsed || (text.find(':') != std::string_view::npos) != is_v6) return false;
  address = *parsed;
  return true;
}

const char* parse_line(std::string_view line, ProxyHeader& header) {
  const bool has_spaces = std::count(line.begin(), line.end(), ' ') == 4;  // exactly one between two parts
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return nullptr;  // whatever follows it must be ignored
  const bool is_v6 = family == "TCP6";
  if (!is_v6 && family != "TCP4") return "the protocol is not TCP4, TCP6 or UNKNOWN";
  if (!has_spaces) return "not four words after PROXY";
  if (!parse_address(take_word(line), is_v6, header.source.address))
    return "the source address is none of its family";
  if (!parse_address(take_word(line), is_v6, header.destination.address))
    return "the destination address is none of its family";
  if (!parse_port(take_word(line), header.source.port)) return "the source port is none";
  if (!parse_port(line, header.destination.port)) return "the destination port is none";
  header.names_client = true;
  return nullptr;
}

ProxyResult parse_v1(std::string_view bytes, ProxyHeader& header) {
  const std::string_view line = bytes.substr(0, kLongestLine);
  const std::size_t end = line.find_first_of("\r\n");
  if (end == std::string_view::npos || end + 1 == line.size()) {
    if (end != std::string_view::npos && line[end] == '\n') return malformed("a line that ends without CR");
    return line.size() == kLongestLine ? malformed("the line is too long") : need_more();
  }
  if (line.substr(end, 2) != "\r\n") return malformed("a line that does not end with CRLF");
  const char* reason = parse_line(line.substr(kWord.size(), end - kWord.size()), header);
  if (reason) return malformed(reason);
  return {ProxyStatus::kDone, end + 2, ""};
}

// ---- version 2

// Takes the next type, length and value off the front. False: what is there is not one.
bool take_value(std::string_view& values, std::uint8_t& type, std::string_view& value) {
  if (values.size() < 3) return false;
  const std::size_t length = number16(values, 1);
  if (values.size() - 3 < length) return false;
  type = byte_at(values, 0);
  value = values.substr(3, length);
  values.remove_prefix(3 + length);
  return true;
}

const char* parse_ssl(std::string_view value, ProxyHeader& header) {
  if (value.size() < kSslFixed) return "the SSL value is too short";
  header.is_tls = byte_at(value, 0) & kClientSsl;
  value.remove_prefix(kSslFixed);
  std::uint8_t type = 0;
  std::string_view part;
  while (!value.empty()) {
    if (!take_value(value, type, part)) return "a value within the SSL value is longer than that";
    if (type == kSslVersion) header.tls_version = part;
    if (type == kSslCipher) header.tls_cipher = part;
  }
  return nullptr;
}

// §2.2.3: of the header with zeroes in the checksum's place.
bool has_checksum(std::string_view bytes, std::string_view checksum) {
  const auto place = static_cast<std::size_t>(checksum.data() - bytes.data());
  static constexpr std::string_view kZeroes{"\0\0\0\0", 4};
  const std::uint32_t sum = crc32c(bytes.substr(place + 4), crc32c(kZeroes, crc32c(bytes.substr(0, place))));
  return sum == (number16(checksum, 0) << 16 | number16(checksum, 2));
}

const char* parse_values(std::string_view bytes, std::string_view values, ProxyHeader& header) {
  std::uint8_t type = 0;
  std::string_view value, checksum;
  while (!values.empty()) {
    if (!take_value(values, type, value)) return "a value is longer than the header";
    if (type == kAuthority) header.authority = value;
    if (type == kAlpn) header.alpn = value;
    if (type == kSsl) {
      if (const char* reason = parse_ssl(value, header)) return reason;
    }
    if (type != kCrc32c) continue;
    if (value.size() != 4 || !checksum.empty()) return "the checksum is not one of four bytes";
    checksum = value;
  }
  return checksum.empty() || has_checksum(bytes, checksum) ? nullptr : "the checksum is wrong";
}

IpAddress address_of(std::string_view bytes, bool is_v6) {
  IpAddress address;
  std::uint8_t octets[4];
  std::memcpy(is_v6 ? address.bytes.data() : octets, bytes.data(), is_v6 ? 16 : 4);
  return is_v6 ? address : IpAddress::from_v4(octets);
}

// `bytes`: the whole header.
const char* parse_block(std::string_view bytes, ProxyHeader& header) {
  static constexpr std::size_t kAddressBytes[] = {0, 12, 36,
                                                  216};  // by family, both addresses with their ports
  const std::uint8_t family = byte_at(bytes, 13) >> 4, protocol = byte_at(bytes, 13) & 15;
  std::string_view block = bytes.substr(kFixed);
  if (family > 3 || protocol > 2) return "an unassigned address family or protocol";
  if (block.size() < kAddressBytes[family]) return "shorter than the addresses of its family";
  // Other than TCP: valid, and not understood (§2.2).
  if ((family == 1 || family == 2) && protocol == 1) {
    const bool is_v6 = family == 2;
    const std::size_t size = is_v6 ? 16 : 4;
    header.source = {address_of(block, is_v6), static_cast<std::uint16_t>(number16(block, 2 * size))};
    header.destination = {address_of(block.substr(size), is_v6),
                          static_cast<std::uint16_t>(number16(block, 2 * size + 2))};
    header.names_client = true;
  }
  block.remove_prefix(kAddressBytes[family]);
  return parse_values(bytes, block, header);
}

ProxyResult parse_v2(std::string_view bytes, ProxyHeader& header) {
  if (bytes.size() > 12 && byte_at(bytes, 12) != 0x20 && byte_at(bytes, 12) != 0x21) {
    return malformed(byte_at(bytes, 12) >> 4 == 2 ? "an unassigned command" : "not version 2");
  }
  if (bytes.size() < kFixed) return need_more();
  const std::size_t length = kFixed + number16(bytes, 14);
  if (length > kLongestProxyHeader) return malformed("the header is too long");
  if (bytes.size() < length) return need_more();
  const bool is_local = byte_at(bytes, 12) == 0x20;  // its block must be discarded
  const char* reason = is_local ? nullptr : parse_block(bytes.substr(0, length), header);
  if (reason) return malformed(reason);
  return {ProxyStatus::kDone, length, ""};
}

// ---- writing

class Writer {
 public:
  explicit Writer(std::span<char, kMostProxyHeader> out) : out_(out) {}

  std::size_t size() const { return size_; }
  void add(std::string_view text) {
    GH_CHECK(text.size() <= out_.size() - size_);
    std::copy(text.begin(), text.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
  }
  void add8(std::size_t number) {
    const char byte = static_cast<char>(number);
    add({&byte, 1});
  }
  void add16(std::size_t number) {
    add8(number >> 8);
    add8(number);
  }
  void add_value(Type type, std::string_view value) {
    if (value.empty()) return;
    begin_value(type);
    add(value.substr(0, kLongestValue));
    end_value(3 + std::min(value.size(), kLongestValue));
  }
  void begin_value(Type type) {
    add8(type);
    add16(0);
  }
  // `size`: of type, length and value together.
  void end_value(std::size_t size) { set16(size_ - size + 1, size - 3); }
  void set16(std::size_t place, std::size_t number) {
    out_[place] = static_cast<char>(number >> 8);
    out_[place + 1] = static_cast<char>(number);
  }
  std::string_view view() const { return {out_.data(), size_}; }

 private:
  std::span<char, kMostProxyHeader> out_;
  std::size_t size_ = 0;
};

bool is_v4(const ProxyHeader& header) {
  return header.source.address.is_v4() && header.destination.address.is_v4();
}

std::string text_of(const IpAddress& address, bool is_v4) {
  return address.is_v4() && !is_v4 ? "::ffff:" + to_string(address) : to_string(address);
}

void write_v1(Writer& writer, const ProxyHeader& header) {
  if (!header.names_client) return writer.add("PROXY UNKNOWN\r\n");
  const bool v4 = is_v4(header);
  writer.add(v4 ? "PROXY TCP4 " : "PROXY TCP6 ");
  writer.add(text_of(header.source.address, v4) + " " + text_of(header.destination.address, v4) + " " +
             std::to_string(header.source.port) + " " + std::to_string(header.destination.port) + "\r\n");
}

void add_address(Writer& writer, const IpAddress& address, bool is_v4) {
  const std::size_t first = is_v4 ? 12 : 0;
  writer.add({reinterpret_cast<const char*>(address.bytes.data()) + first, address.bytes.size() - first});
}

void add_ssl(Writer& writer, const ProxyHeader& header) {
  const std::size_t begin = writer.size();
  writer.begin_value(kSsl);
  writer.add8(kClientSsl);
  writer.add16(0);
  writer.add16(1);  // no client certificate was verified
  writer.add_value(kSslVersion, header.tls_version);
  writer.add_value(kSslCipher, header.tls_cipher);
  writer.end_value(writer.size() - begin);
}

void write_v2(Writer& writer, const ProxyHeader& header) {
  writer.add(kSignature);
  writer.add8(header.names_client ? 0x21 : 0x20);
  const bool v4 = is_v4(header);
  writer.add8(!header.names_client ? 0 : v4 ? 0x11 : 0x21);
  writer.add16(0);
  if (!header.names_client) return;
  add_address(writer, header.source.address, v4);
  add_address(writer, header.destination.address, v4);
  writer.add16(header.source.port);
  writer.add16(header.destination.port);
  writer.add_value(kAuthority, header.authority);
  writer.add_value(kAlpn, header.alpn);
  if (header.is_tls) add_ssl(writer, header);
  writer.begin_value(kCrc32c);
  writer.add({"\0\0\0\0", 4});
  writer.end_value(7);
  writer.set16(14, writer.size() - kFixed);
  const std::uint32_t sum = crc32c(writer.view());
  writer.set16(writer.size() - 4, sum >> 16);
  writer.set16(writer.size() - 2, sum & 0xffff);
}

constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82f63b78u : 0);
    table[i] = value;
  }
  return table;
}();

}  // namespace

ProxyVersion parse_proxy_version(std::string_view name) {
  return name == "v1" ? ProxyVersion::kV1 : name == "v2" ? ProxyVersion::kV2 : ProxyVersion::kNone;
}

ProxyResult parse_proxy_header(std::string_view bytes, ProxyHeader& header) {
  header = {};
  if (bytes.substr(0, kSignature.size()) == kSignature.substr(0, bytes.size())) {
    return bytes.size() < kSignature.size() ? need_more() : parse_v2(bytes, header);
  }
  if (bytes.substr(0, kWord.size()) == kWord.substr(0, bytes.size())) {
    return bytes.size() < kWord.size() ? need_more() : parse_v1(bytes, header);
  }
  return malformed("not a PROXY header");
}

std::size_t write_proxy_header(ProxyVersion version, const ProxyHeader& header,
                               std::span<char, kMostProxyHeader> out) {
  Writer writer(out);
  if (version == ProxyVersion::kV1) write_v1(writer, header);
  if (version == ProxyVersion::kV2) write_v2(writer, header);
  return writer.size();
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  std::uint32_t value = ~before;
  for (const char c : bytes) value = value >> 8 ^ kCrcTable[(value ^ static_cast<std::uint8_t>(c)) & 0xff];
  return ~value;
}

}  // namespace gatehouse::l7
