// The PROXY protocol: what is written is read, in any pieces; what is not exactly a header is refused.
#include "l7/proxy_protocol.h"

#include <gtest/gtest.h>

#include "tests/l7/support/hello_bytes.h"

namespace gatehouse::l7 {
namespace {

using test::counted;

Endpoint endpoint(std::string_view text) { return Endpoint::parse(text).value(); }
std::string written(ProxyVersion version, const ProxyHeader& header) {
  char out[kMostProxyHeader];
  return {out, write_proxy_header(version, header, out)};
}
ProxyHeader named(std::string_view source, std::string_view destination) {
  ProxyHeader header;
  header.names_client = true;
  header.source = endpoint(source);
  header.destination = endpoint(destination);
  return header;
}
ProxyHeader of_tls() {
  ProxyHeader header = named("192.0.2.7:40000", "198.51.100.1:443");
  header.authority = "shop.example";
  header.alpn = "h2";
  header.is_tls = true;
  header.tls_version = "TLSv1.3";
  header.tls_cipher = "TLS_AES_128_GCM_SHA256";
  return header;
}
const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
std::string v2(char command, char family, std::string_view block) {
  return kSignature + command + family + counted(2, block);
}
const std::string kV4("\xc0\x00\x02\x07\xc6\x33\x64\x01\x9c\x40\x01\xbb", 12);
std::string value(char type, std::string_view bytes) { return type + counted(2, bytes); }

TEST(Crc32c, GivesTheKnownValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720 §B.4
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283u);
}

TEST(ProxyHeader, IsReadAsItWasWritten) {
  const std::pair<const char*, const char*> rows[] = {
      {"192.0.2.7:40000", "198.51.100.1:443"},
      {"0.0.0.0:0", "255.255.255.255:65535"},
      {"[2001:db8::1]:1", "[::]:443"},
      {"192.0.2.7:40000", "[2001:db8::1]:443"},  // of both families: as IPv6
      {"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe]:65535"}};
  for (const ProxyVersion version : {ProxyVersion::kV1, ProxyVersion::kV2}) {
    for (const auto& [source, destination] : rows) {
      const std::string bytes = written(version, named(source, destination));
      ProxyHeader header;
      const ProxyResult result = parse_proxy_header(bytes + "GET", header);
      ASSERT_EQ(result.status, ProxyStatus::kDone) << source << ": " << result.reason;
      EXPECT_EQ(result.length, bytes.size());
      EXPECT_TRUE(header.names_client);
      EXPECT_EQ(to_string(header.source), to_string(endpoint(source)));
      EXPECT_EQ(to_string(header.destination), to_string(endpoint(destination)));
    }
  }
}

TEST(ProxyHeader, IsTextInVersion1) {
  EXPECT_EQ(written(ProxyVersion::kV1, of_tls()), "PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n");
  EXPECT_EQ(written(ProxyVersion::kV1, named("[2001:db8::1]:1", "192.0.2.1:2")),
            "PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 2\r\n");
  EXPECT_EQ(written(ProxyVersion::kV1, {}), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeader, SaysInVersion2WhatTlsSaid) {
  const std::string bytes = written(ProxyVersion::kV2, of_tls());
  ProxyHeader header;
  ASSERT_EQ(parse_proxy_header(bytes, header).status, ProxyStatus::kDone);
  EXPECT_EQ(header.authority, "shop.example");
  EXPECT_EQ(header.alpn, "h2");
  EXPECT_TRUE(header.is_tls);
  EXPECT_EQ(header.tls_version, "TLSv1.3");
  EXPECT_EQ(header.tls_cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(bytes.substr(0, 16), kSignature + "\x21\x11" + counted(2, bytes.substr(16)).substr(0, 2));
  EXPECT_EQ(written(ProxyVersion::kV2, {}), v2('\x20', '\0', ""));
}

TEST(ProxyHeader, LongValuesAreCut) {
  const std::string longest(1000, 'a');
  ProxyHeader header = of_tls();
  header.authority = header.alpn = longest;
  header.tls_version = header.tls_cipher = std::string_view(longest).substr(0, 100);
  const std::string bytes = written(ProxyVersion::kV2, header);
  ASSERT_EQ(parse_proxy_header(bytes, header).status, ProxyStatus::kDone);
  EXPECT_EQ(header.authority, longest.substr(0, 255));
}

TEST(ProxyHeader, MayComeInAnyPieces) {
  for (const std::string& bytes : {written(ProxyVersion::kV1, of_tls()), written(ProxyVersion::kV2, of_tls()),
                                   written(ProxyVersion::kV1, {})}) {
    ProxyHeader header;
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(parse_proxy_header(std::string_view(bytes).substr(0, size), header).status,
                ProxyStatus::kNeedMore)
          << size;
    }
    EXPECT_EQ(parse_proxy_header(bytes, header).status, ProxyStatus::kDone);
  }
}

// Every single bit of a header with a checksum matters.
TEST(ProxyHeader, OneWrongBitIsSeen) {
  const std::string bytes = written(ProxyVersion::kV2, of_tls());
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string wrong = bytes;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << bit % 8));
    ProxyHeader header;
    const ProxyResult result = parse_proxy_header(wrong, header);
    const bool is_local = bit == 8 * 12;                           // LOCAL: nothing of the block counts
    const bool has_no_checksum = bit / 8 == bytes.size() - 4 - 3;  // its type is another
    EXPECT_TRUE(result.status != ProxyStatus::kDone || is_local || has_no_checksum) << "bit " << bit;
  }
}

TEST(ProxyHeader, WithoutAClientIsTaken) {
  const std::string rows[] = {
      "PROXY UNKNOWN\r\n",
      "PROXY UNKNOWN whatever  is there\r\n",
      "PROXY UNKNOWN ffff:f:f:f:f:f:f:ffff ffff:f:f:f:f:f:f:ffff 65535 65535\r\n",
      v2('\x20', '\0', ""),
      v2('\x20', '\x11', kV4),
      v2('\x20', '\xff', "the block of LOCAL is discarded"),
      v2('\x21', '\0', ""),
      v2('\x21', '\0', value(4, "no operation")),
      v2('\x21', '\x12', kV4),                    // UDP
      v2('\x21', '\x31', std::string(216, 'u')),  // a Unix socket
  };
  for (const std::string& bytes : rows) {
    ProxyHeader header;
    const ProxyResult result = parse_proxy_header(bytes + "x", header);
    EXPECT_EQ(result.status, ProxyStatus::kDone) << testing::PrintToString(bytes) << result.reason;
    EXPECT_EQ(result.length, bytes.size());
    EXPECT_FALSE(header.names_client);
  }
}

TEST(ProxyHeader, UnknownValuesAreSkipped) {
  ProxyHeader header;
  const std::string bytes =
      v2('\x21', '\x11', kV4 + value('\xe0', "own") + value(4, "") + value(2, "a.example") + value(5, "id"));
  ASSERT_EQ(parse_proxy_header(bytes, header).status, ProxyStatus::kDone);
  EXPECT_EQ(header.authority, "a.example");
  EXPECT_EQ(to_string(header.source), "192.0.2.7:40000");
}

struct Row {
  std::string bytes;
  const char* reason;
};

TEST(ProxyHeader, IsRefusedWhenMalformed) {
  const std::string ssl = std::string("\x01\0\0\0\x01", 5);
  const Row rows[] = {
      {"GET / HTTP/1.1\r\n", "not a PROXY header"},
      {"proxy TCP4", "not a PROXY header"},
      {"PROXY\r\n", "not a PROXY header"},
      {"\r\n\r\nGET", "not a PROXY header"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\n", "a line that ends without CR"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\r", "a line that does not end with CRLF"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 40000\n443\r\n", "a line that does not end with CRLF"},
      {"PROXY UNKNOWN " + std::string(93, 'x'), "the line is too long"},
      {"PROXY UNKNOWN " + std::string(92, 'x') + "\r\n", "the line is too long"},
      {"PROXY \r\n", "the protocol is not TCP4, TCP6 or UNKNOWN"},
      {"PROXY UDP4 192.0.2.7 198.51.100.1 40000 443\r\n", "the protocol is not TCP4, TCP6 or UNKNOWN"},
      {"PROXY  TCP4 192.0.2.7 198.51.100.1 40000 443\r\n", "the protocol is not TCP4, TCP6 or UNKNOWN"},
      {"PROXY UNKNOWNS\r\n", "the protocol is not TCP4, TCP6 or UNKNOWN"},
      {"PROXY TCP4\r\n", "not four words after PROXY"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n", "not four words after PROXY"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 \r\n", "not four words after PROXY"},
      {"PROXY TCP4  192.0.2.7 198.51.100.1 40000 443\r\n", "not four words after PROXY"},
      {"PROXY TCP4 2001:db8::1 198.51.100.1 40000 443\r\n", "the source address is none of its family"},
      {"PROXY TCP4 192.0.2.07 198.51.100.1 40000 443\r\n", "the source address is none of its family"},
      {"PROXY TCP4 192.0.2.7 198.51.100 40000 443\r\n", "the destination address is none of its family"},
      {"PROXY TCP6 2001:db8::1 198.51.100.1 40000 443\r\n", "the destination address is none of its family"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 040 443\r\n", "the source port is none"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 -1 443\r\n", "the source port is none"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 65536 443\r\n", "the source port is none"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 1 +443\r\n", "the destination port is none"},
      {"PROXY TCP4 192.0.2.7 198.51.100.1 1 \r\n", "the destination port is none"},
      {kSignature + "\x11", "not version 2"},
      {kSignature + "\x22", "an unassigned command"},
      {kSignature + std::string("\x21\x11\x0f\xf1", 4), "the header is too long"},
      {v2('\x21', '\x41', kV4), "an unassigned address family or protocol"},
      {v2('\x21', '\x13', kV4), "an unassigned address family or protocol"},
      {v2('\x21', '\x11', kV4.substr(1)), "shorter than the addresses of its family"},
      {v2('\x21', '\x21', kV4), "shorter than the addresses of its family"},
      {v2('\x21', '\x11', kV4 + "\x01"), "a value is longer than the header"},
      {v2('\x21', '\x11', kV4 + std::string("\x01\0\x02h", 4)), "a value is longer than the header"},
      {v2('\x21', '\0', "\x01"), "a value is longer than the header"},
      {v2('\x21', '\x11', kV4 + value(3, "abcd")), "the checksum is wrong"},
      {v2('\x21', '\x11', kV4 + value(3, "abc")), "the checksum is not one of four bytes"},
      {v2('\x21', '\x11', kV4 + value(3, "abcd") + value(3, "abcd")),
       "the checksum is not one of four bytes"},
      {v2('\x21', '\x11', kV4 + value('\x20', "\x01")), "the SSL value is too short"},
      {v2('\x21', '\x11', kV4 + value('\x20', ssl + std::string("\x21\0\x09TLS", 6))),
       "a value within the SSL value is longer than that"},
  };
  for (const Row& row : rows) {
    ProxyHeader header;
    const ProxyResult result = parse_proxy_header(row.bytes, header);
    EXPECT_EQ(result.status, ProxyStatus::kMalformed) << testing::PrintToString(row.bytes) << row.reason;
    EXPECT_STREQ(result.reason, row.reason) << testing::PrintToString(row.bytes);
  }
}

}  // namespace
}  // namespace gatehouse::l7
