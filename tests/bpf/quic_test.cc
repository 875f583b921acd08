// QUIC-LB: connection ids lead to the server that made them. The vectors are those of appendix B of
// draft-ietf-quic-load-balancers-21 and the example of its §5.4.2; where the draft's first byte does not fit
// its own text, only the bytes behind it are compared. Tests of packets run over both builds.
#include "l4/quic_cid.h"

#include <fstream>
#include <random>

#include "tests/bpf/service_site.h"

namespace gatehouse::test {
namespace {

// ---- Making connection ids ----

struct Vector {
  std::uint8_t config_id;
  const char* server_id;
  const char* nonce;
  const char* key;
  const char* connection_id;
  bool has_first_byte;
};
constexpr const char* kDraftKey = "8f95f09245765f80256934e50c66207f";
constexpr Vector kVectors[] = {
    {0, "c4605e", "4504cc4f", "", "07c4605e4504cc4f", true},
    {0, "ed793a", "ee080dbf", kDraftKey, "0720b1d07b359d3c", true},
    {1, "ed793a51d49b8f5fab65", "ee080dbf48", kDraftKey, "2fcc381bc74cb4fbad2823a3d1f8fed2", true},
    {2, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", kDraftKey, "504dd2d05a7b0de9b2b9907afb5ecf8cc3", true},
    {3, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d", kDraftKey, "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc",
     false},
    {0, "31441a", "9c69c275", "fdf726a9893ec05c0632d3956680baf0", "0767947d29be054a", true},
};

l4::QuicLb config_of(const Vector& vector) {
  const Bytes server_id = from_hex(vector.server_id), nonce = from_hex(vector.nonce),
              bytes = from_hex(vector.key);
  l4::QuicLb config{vector.config_id,
                    static_cast<std::uint8_t>(server_id.size()),
                    static_cast<std::uint8_t>(nonce.size()),
                    {}};
  if (bytes.empty()) return config;
  config.key.emplace();
  std::copy(bytes.begin(), bytes.end(), config.key->begin());
  return config;
}

TEST(QuicLb, ConnectionIdsAreThoseOfTheDraft) {
  for (const Vector& vector : kVectors) {
    const Bytes made =
        l4::make_connection_id(config_of(vector), from_hex(vector.server_id), from_hex(vector.nonce));
    const std::size_t from = vector.has_first_byte ? 0 : 2;
    EXPECT_EQ(to_hex(made).substr(from), std::string(vector.connection_id).substr(from)) << vector.server_id;
    EXPECT_EQ(made[0], vector.config_id << 5 | (made.size() - 1));
  }
}

TEST(QuicLb, AKeyFileHasThirtyTwoDigits) {
  const std::string file = testing::TempDir() + "gatehouse_quic_key_" + std::to_string(getpid());
  const auto read = [&](const std::string& text) {
    std::ofstream(file) << text;
    return l4::read_quic_key(file);
  };
  EXPECT_EQ(read("8F95f09245765f80 256934e50c66207f\n").value(), kQuicKey);
  for (const char* text :
       {"", "8f95", "8f95f09245765f80256934e50c66207f00", "8f95f09245765f80256934e50c66207g"}) {
    EXPECT_FALSE(read(text)) << text;
  }
  unlink(file.c_str());
  EXPECT_FALSE(l4::read_quic_key(file));
}

// ---- Packets ----

class QuicServices : public Services {
 protected:
  static constexpr std::uint64_t kSeed = 20260523;

  static Bytes connection_id(const l4::QuicLb& config, std::uint16_t server, std::uint8_t seed = 1) {
    Bytes nonce(config.nonce_length);
    for (std::size_t i = 0; i < nonce.size(); ++i) nonce[i] = static_cast<std::uint8_t>(seed * 37 + i * 11);
    return l4::make_connection_id(config, quic_server_id(server), nonce);
  }
  static PacketBuilder from_client(std::uint16_t port, const Bytes& payload,
                                   const char* address = "203.0.113.7") {
    return PacketBuilder().ipv4(address, "198.51.100.22").udp(port, 443).payload(payload);
  }
  static Bytes short_header(const Bytes& id, std::size_t rest = 24) {
    Bytes bytes = {0x41};
    bytes.insert(bytes.end(), id.begin(), id.end());
    bytes.resize(bytes.size() + rest, 0xaa);
    return bytes;
  }
  static Bytes long_header(const Bytes& id, std::uint8_t first = 0xe3) {
    Bytes bytes = {first, 0, 0, 0, 1, static_cast<std::uint8_t>(id.size())};
    bytes.insert(bytes.end(), id.begin(), id.end());
    bytes.resize(bytes.size() + 40, 0xaa);
    return bytes;
  }
  std::uint64_t routed() { return count(kQuic, GH_COUNT_QUIC_ROUTED); }
};
GATEHOUSE_BOTH_ADAPTERS(QuicServices);

TEST_P(QuicServices, AConnectionIdLeadsToItsServerFromWhateverAddress) {
  std::uint64_t expected = 0;
  for (const l4::QuicLb& config : kQuicConfigs) {
    for (const std::uint16_t server : {21, 22, 23}) {
      for (std::uint8_t seed = 0; seed < 20; ++seed) {
        const Bytes id = connection_id(config, server, seed);
        EXPECT_EQ(server_of(from_client(40000, short_header(id))), server);
        EXPECT_EQ(server_of(from_client(50000, short_header(id), "192.0.2.99")), server)
            << "the client has moved";
        EXPECT_EQ(server_of(from_client(40001, long_header(id))), server);
        expected += 3;
      }
    }
  }
  EXPECT_EQ(routed(), expected);
  EXPECT_EQ(flows(), 0u) << "nothing needs to be remembered of them";
}

TEST_P(QuicServices, EveryLengthOfServerIdAndNonceIsRead) {
  std::mt19937 random(kSeed);
  for (std::uint8_t length = 1; length <= 15; ++length) {
    l4::ServiceSet set = service_set();
    Bytes server_id(length);
    for (std::uint8_t& byte : server_id) byte = static_cast<std::uint8_t>(random());
    set.quic_servers = {{server_id, 22, kQuic}};
    for (std::uint8_t nonce_length = 4; length + nonce_length <= 19; ++nonce_length) {
      for (const bool has_key : {false, true}) {
        l4::QuicLb config{static_cast<std::uint8_t>(random() % 7), length, nonce_length, std::nullopt};
        if (has_key) config.key = kQuicKey;
        set.services[2].quic = {config};
        ASSERT_TRUE(l4::ServiceWriter(*plane_).set(set));
        Bytes nonce(nonce_length);
        for (std::uint8_t& byte : nonce) byte = static_cast<std::uint8_t>(random());
        const Bytes id = l4::make_connection_id(config, server_id, nonce);
        const std::uint64_t before = routed();
        EXPECT_EQ(server_of(from_client(40000, short_header(id, 20))), 22);
        EXPECT_EQ(server_of(from_client(40000, long_header(id))), 22);
        EXPECT_EQ(routed() - before, 2u)
            << int{length} << "+" << int{nonce_length} << (has_key ? " encrypted" : "");
      }
    }
  }
}

// What the client has drawn, and what no configuration fits.
TEST_P(QuicServices, WhatNamesNobodyGoesByItsFlow) {
  Bytes unknown_server = connection_id(kQuicConfigs[0], 77),
        unknown_config = connection_id(kQuicConfigs[0], 21);
  Bytes unroutable = unknown_config, too_short = unknown_config;
  unknown_config[0] = 5 << 5 | 8;
  unroutable[0] = 7 << 5 | 8;
  too_short.resize(8);
  const struct {
    const char* description;
    Bytes payload;
    gh_service_count counter;
  } rows[] = {
      {"Initial with a drawn id", long_header(Bytes(8, 0xc3)), GH_COUNT_QUIC_FIRST},
      {"Initial without an id", long_header({}), GH_COUNT_QUIC_FIRST},
      {"long header, server unknown", long_header(unknown_server), GH_COUNT_QUIC_FIRST},
      {"long header, id too short", long_header(too_short), GH_COUNT_QUIC_FIRST},
      {"server unknown", short_header(unknown_server), GH_COUNT_QUIC_UNKNOWN},
      {"config unknown", short_header(unknown_config), GH_COUNT_QUIC_UNKNOWN},
      {"config 7", short_header(unroutable), GH_COUNT_QUIC_UNKNOWN},
      {"nothing but a first byte", {0x41}, GH_COUNT_QUIC_UNKNOWN},
      {"nothing at all", {}, GH_COUNT_QUIC_UNKNOWN},
      {"id beyond the end", {0xc3, 0, 0, 0, 1, 20, 0, 21, 0}, GH_COUNT_QUIC_FIRST},
  };
  std::uint16_t port = 40000;
  for (const auto& row : rows) {
    SCOPED_TRACE(row.description);
    const std::uint64_t before = count(kQuic, row.counter);
    const std::uint16_t server = server_of(from_client(++port, row.payload));
    EXPECT_GE(server, 21);
    set_servers(*plane_, kQuic, {static_cast<std::uint16_t>(server == 23 ? 21 : server + 1)});
    EXPECT_EQ(server_of(from_client(port, row.payload)), server) << "its flow is remembered";
    EXPECT_EQ(count(kQuic, row.counter) - before, 2u);
    set_servers(*plane_, kQuic, {21, 22, 23});
  }
  EXPECT_EQ(routed(), 0u);
}

TEST_P(QuicServices, ADrainingServerKeepsItsConnectionsAndADeadOneDoesNot) {
  const Bytes packet = short_header(connection_id(kQuicConfigs[1], 22));
  set_servers(*plane_, kQuic, {21});
  EXPECT_EQ(server_of(from_client(40000, packet)), 22);
  l4::ServiceWriter(*plane_).set_server(22, kQuic, 0, 0, false);
  EXPECT_EQ(server_of(from_client(40000, packet)), 21);
  EXPECT_EQ(count(kQuic, GH_COUNT_QUIC_UNKNOWN), 1u);
}

TEST_P(QuicServices, PaddingIsNoConnectionId) {
  const Bytes id = connection_id(kQuicConfigs[0], 22);
  const Bytes whole = from_client(40000, short_header(id, 0)).build();
  for (std::size_t cut = 1; cut < id.size(); ++cut) {
    Bytes packet = whole;
    packet[3] = static_cast<std::uint8_t>(whole.size() - cut);  // the IP packet ends earlier
    Bytes frame = PacketBuilder().ethernet().packet(packet).payload(40).build();
    const std::uint64_t before = routed();
    EXPECT_TRUE(run(frame));
    EXPECT_EQ(routed(), before) << cut;
  }
}

// The core's cipher against OpenSSL's by way of the connection ids; keys and plain texts at random.
TEST_P(QuicServices, AnyKeyDecryptsWhatItHasEncrypted) {
  std::mt19937 random(kSeed);
  for (int turn = 0; turn < 60; ++turn) {
    l4::ServiceSet set = service_set();
    l4::QuicLb::Key key;
    for (std::uint8_t& byte : key) byte = static_cast<std::uint8_t>(random());
    for (l4::QuicLb& config : set.services[2].quic) config.key = key;
    ASSERT_TRUE(l4::ServiceWriter(*plane_).set(set));
    for (const l4::QuicLb& config : set.services[2].quic) {
      EXPECT_EQ(server_of(from_client(
                    40000, short_header(connection_id(config, 23, static_cast<std::uint8_t>(random()))))),
                23);
    }
  }
  EXPECT_EQ(routed(), 240u);
}

}  // namespace
}  // namespace gatehouse::test
