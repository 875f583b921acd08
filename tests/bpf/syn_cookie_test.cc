// SYN cookies of a node: the program runs in a network namespace of its own, whose kernel makes and judges
// them.
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>

#include "common/fd.h"
#include "tests/bpf/builds.h"

namespace gatehouse::test {
namespace {

using Build = PacketBuilder;

constexpr std::uint16_t kPort = 443, kClosedPort = 444;
constexpr std::uint32_t kSequence = 0x11223344;
constexpr const char* kVip = "127.0.0.9";  // what a loopback interface has without being asked
constexpr const char* kVipV6 = "::1";
constexpr const char* kClient = "203.0.113.7";
constexpr const char* kClientV6 = "2001:db8:c::7";

void write_sysctl(const std::string& name, const std::string& value) {
  std::ofstream stream("/proc/sys/net/ipv4/" + name);
  stream << value << std::flush;
  ASSERT_TRUE(stream.good()) << name;
}

// ---- What came out, read apart from the code under test ----

struct Reply {
  bool is_v4 = false;
  std::string source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  std::uint32_t sequence = 0, acknowledgment = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
  Bytes options;
};

std::uint16_t be16(const Bytes& bytes, std::size_t at) {
  return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
std::uint32_t be32(const Bytes& bytes, std::size_t at) {
  return std::uint32_t{be16(bytes, at)} << 16 | be16(bytes, at + 2);
}

std::string address_at(const Bytes& packet, std::size_t at, bool is_v4) {
  if (is_v4) {
    std::uint8_t octets[4];
    std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(at), 4, octets);
    return to_string(IpAddress::from_v4(octets));
  }
  IpAddress address;
  std::copy_n(packet.begin() + static_cast<std::ptrdiff_t>(at), 16, address.bytes.begin());
  return to_string(address);
}

// All lengths and checksums must be right.
Reply read_reply(const Bytes& frame, std::size_t link_length) {
  Reply reply;
  const Bytes packet(frame.begin() + static_cast<std::ptrdiff_t>(link_length), frame.end());
  reply.is_v4 = packet[0] == 0x45;
  const std::size_t ip_length = reply.is_v4 ? 20 : 40, address_at_byte = reply.is_v4 ? 12 : 8,
                    address_length = reply.is_v4 ? 4 : 16;
  EXPECT_EQ(reply.is_v4 ? be16(packet, 2) : be16(packet, 4) + 40, packet.size());
  EXPECT_EQ(packet[reply.is_v4 ? 9 : 6], 6);
  if (reply.is_v4) {
    EXPECT_EQ(internet_checksum(Bytes(packet.begin(), packet.begin() + 20)), 0);
  }
  reply.source = address_at(packet, address_at_byte, reply.is_v4);
  reply.destination = address_at(packet, address_at_byte + address_length, reply.is_v4);
  const Bytes tcp(packet.begin() + static_cast<std::ptrdiff_t>(ip_length), packet.end());
  Bytes pseudo(packet.begin() + static_cast<std::ptrdiff_t>(address_at_byte),
               packet.begin() + static_cast<std::ptrdiff_t>(ip_length));
  pseudo.insert(pseudo.end(), {0, 6, 0, static_cast<std::uint8_t>(tcp.size())});
  pseudo.insert(pseudo.end(), tcp.begin(), tcp.end());
  EXPECT_EQ(internet_checksum(pseudo), 0);
  EXPECT_EQ(tcp.size(), static_cast<std::size_t>(tcp[12] >> 4) * 4);
  reply.source_port = be16(tcp, 0), reply.destination_port = be16(tcp, 2);
  reply.sequence = be32(tcp, 4), reply.acknowledgment = be32(tcp, 8);
  reply.flags = tcp[13], reply.window = be16(tcp, 14);
  reply.options.assign(tcp.begin() + 20, tcp.end());
  return reply;
}

// ---- The node ----

class SynCookies : public NodeInTheKernel {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "A network namespace needs root.";
    if (access("/proc/sys/net/ipv4/tcp_syncookies", F_OK) != 0)
      GTEST_SKIP() << "This kernel is built without SYN cookies.";
    before_ = Fd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    raise_loopback();
    NodeInTheKernel::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    std::span<gh_cookies> cookies;
    const auto memory = map_memory(node_->maps.cookies);
    ASSERT_TRUE(memory);
    cookies_ = reinterpret_cast<gh_cookies*>(memory->data());
    *cookies_ = {.valid_ticks = 1'000'000,
                 .segment_v4 = 1420,
                 .segment_v6 = 1400,
                 .scale = 7,
                 .has_timestamps = 1,
                 .is_on = 1};
    write_sysctl("tcp_syncookies", "2");
    write_sysctl("tcp_timestamps", "2");
    listen();
  }
  void TearDown() override {
    listeners_.clear();
    NodeInTheKernel::TearDown();
    if (before_.is_open()) setns(before_.get(), CLONE_NEWNET);
  }

  // A tunnel packet with `inner` in it, through the program.
  Bytes send(const Build& inner, int action, gh_verdict verdict, std::vector<std::uint16_t> hops = {}) {
    Build tunnel =
        Build().ethernet().ipv4("192.0.2.1", "10.0.0.1").udp(50000, 6080).without_checksum().gue(1, hops);
    Bytes packet = tunnel.packet(inner.build()).build();
    l4::VerdictCounts expected = l4::verdict_counts(counts_);
    ++expected[verdict];
    EXPECT_EQ(run(packet), action);
    EXPECT_EQ(l4::verdict_counts(counts_), expected) << "wanted verdict " << verdict;
    return packet;
  }

  Fd before_;
  gh_cookies* cookies_ = nullptr;
  std::vector<Fd> listeners_;

 private:
  static void raise_loopback() {
    const Fd any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq loopback{};
    std::strcpy(loopback.ifr_name, "lo");
    loopback.ifr_flags = IFF_UP;
    ASSERT_EQ(ioctl(any.get(), SIOCSIFFLAGS, &loopback), 0);
  }
  void listen() {
    for (const char* address : {kVip, kVipV6}) {
      sockaddr_storage storage;
      const socklen_t length = to_sockaddr({ip(address), kPort}, storage);
      Fd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
      ASSERT_EQ(::listen(socket.get(), 16), 0);
      listeners_.push_back(std::move(socket));
    }
  }
};

const Bytes kLinuxOptions = from_hex("020405b4 0402 080a 00112233 00000000 01 030307");

Build segment(bool is_v4, std::uint8_t flags, const Bytes& options = {}, std::uint16_t port = kPort) {
  Build build = is_v4 ? Build().ipv4(kClient, kVip) : Build().ipv6(kClientV6, kVipV6);
  build.tcp(40000, port, flags);
  if (!options.empty()) build.options(options);
  return build;
}

// Sequence numbers are not the builder's: they are written over, and the checksum is left to be wrong; nobody
// here reads it.
Build with_numbers(const Build& segment, bool is_v4, std::uint32_t sequence, std::uint32_t acknowledgment) {
  Bytes packet = segment.build();
  const std::size_t tcp = is_v4 ? 20 : 40;
  for (int i = 0; i < 4; ++i) {
    packet[tcp + 4 + i] = static_cast<std::uint8_t>(sequence >> (24 - 8 * i));
    packet[tcp + 8 + i] = static_cast<std::uint8_t>(acknowledgment >> (24 - 8 * i));
  }
  return Build().packet(packet);
}

Build syn(bool is_v4, const Bytes& options = kLinuxOptions) {
  return with_numbers(segment(is_v4, kSyn, options), is_v4, kSequence, 0);
}

TEST_F(SynCookies, AnswerASynAsTheKernelWould) {
  for (const bool is_v4 : {true, false}) {
    const Bytes frame = send(syn(is_v4), XDP_TX, GH_NODE_COOKIE_SENT);
    EXPECT_EQ(Bytes(frame.begin(), frame.begin() + 14),
              Build().ethernet(kRouterMac, kHostMac).next(is_v4 ? 0x0800 : 0x86dd).build());
    const Reply reply = read_reply(frame, 14);
    EXPECT_EQ(reply.is_v4, is_v4);
    EXPECT_EQ(reply.source, is_v4 ? kVip : kVipV6);
    EXPECT_EQ(reply.destination, is_v4 ? kClient : kClientV6);
    EXPECT_EQ(reply.source_port, kPort);
    EXPECT_EQ(reply.destination_port, 40000);
    EXPECT_EQ(reply.acknowledgment, kSequence + 1);
    EXPECT_EQ(reply.flags, kSyn | kAck);
    ASSERT_EQ(reply.options.size(), 20u);
    EXPECT_EQ(to_hex(Bytes(reply.options.begin(), reply.options.begin() + 8)),
              is_v4 ? "0204058c0402080a" : "020405780402080a");
    EXPECT_EQ(reply.options[11] & 0x3f, 16 + 7);  // SACK, and the client's scale
    EXPECT_EQ(be32(reply.options, 12), 0x00112233u);
    EXPECT_EQ(to_hex(Bytes(reply.options.begin() + 16, reply.options.end())), "01030307");
  }
}

TEST_F(SynCookies, OfferWhatTheClientOffered) {
  const struct {
    const char* options;
    const char* reply;  // without the timestamps themselves
    int agreed;         // in the low bits of ours
  } rows[] = {
      {"", "0204058c", -1},
      {"020405b4", "0204058c", -1},
      {"0204 05b4 0103 0308 0101 0402", "0204058c", -1},  // scale and SACK, no timestamps to keep them in
      {"0204 05b4 0101 080a 0000 0001 0000 0000", "0204058c0101080a", 15},
      {"0204 05b4 0402 080a 0000 0001 0000 0000", "0204058c0402080a", 31},
      {"0204 05b4 0103 0302 0101 080a 0000 0001 0000 0000", "0204058c0101080a01030307", 2},
      {"0204 05b4 0103 0306 0101 080a 0000 0001 0000 0000 0402 0000", "0204058c0402080a01030307", 22},
      {"0204 05b4 0402 080a 0000 0001 0000 0000 0103 030e", "0204058c0402080a01030307", 30},
      {"0204 05b4 0402 080a 0000 0001 0000 0000 0103 03ff", "0204058c0402080a01030307", 30},
      {"0000 0402 080a 0000 0001 0000 0000 0101", "0204058c", -1},  // behind the end
      {"0101 0101 0101 0402 080a 0000 0001 0000 0000 0101", "0204058c0402080a", 31},
      {"fe00 0402 080a 0000 0001 0000 0000 0101", "0204058c", -1},  // lengths that lie
      {"fe01 0402 080a 0000 0001 0000 0000 0101", "0204058c", -1},
      {"fe30 0402 080a 0000 0001 0000 0000 0101", "0204058c", -1},
      {"080b 0000 0001 0000 0000 0001", "0204058c", -1},
      {"0101 080a 0000 0001", "0204058c", -1},
      {"0101 0108", "0204058c", -1},
      {"0101 0103", "0204058c", -1}};
  for (const auto& row : rows) {
    SCOPED_TRACE(row.options);
    Reply reply = read_reply(send(syn(true, from_hex(row.options)), XDP_TX, GH_NODE_COOKIE_SENT), 14);
    if (row.agreed >= 0) {
      ASSERT_GE(reply.options.size(), 16u);
      EXPECT_EQ(reply.options[11] & 0x3f, row.agreed);
      EXPECT_EQ(be32(reply.options, 12), 1u);
      reply.options.erase(reply.options.begin() + 8, reply.options.begin() + 16);
    }
    EXPECT_EQ(to_hex(reply.options), row.reply);
  }
}

TEST_F(SynCookies, TimestampsAreNotOfferedWhereTheKernelHidesItsOwn) {
  cookies_->has_timestamps = 0;
  EXPECT_EQ(to_hex(read_reply(send(syn(true), XDP_TX, GH_NODE_COOKIE_SENT), 14).options), "0204058c");
}

TEST_F(SynCookies, AnAckIsDeliveredWithTheCookieAndDroppedWithout) {
  for (const bool is_v4 : {true, false}) {
    const std::uint32_t cookie = read_reply(send(syn(is_v4), XDP_TX, GH_NODE_COOKIE_SENT), 14).sequence;
    const Build ack = segment(is_v4, kAck).payload("hello");
    constexpr std::uint32_t kFar = 1000;  // numbers beside the right ones say another segment size
    send(with_numbers(ack, is_v4, kSequence + 1, cookie + 1), XDP_PASS, GH_NODE_OWNED);
    send(with_numbers(ack, is_v4, kSequence + 1, cookie + kFar), XDP_DROP, GH_NODE_COOKIE_BAD);
    send(with_numbers(ack, is_v4, kSequence + kFar, cookie + 1), XDP_DROP, GH_NODE_COOKIE_BAD);
    // To no listener at all.
    send(with_numbers(segment(is_v4, kAck, {}, kClosedPort), is_v4, kSequence + 1, cookie + 1), XDP_DROP,
         GH_NODE_COOKIE_BAD);
    send(segment(is_v4, kReset), XDP_DROP, GH_NODE_COOKIE_BAD);
    // With hops left: here with the cookie, else further on.
    send(with_numbers(ack, is_v4, kSequence + 1, cookie + 1), XDP_PASS, GH_NODE_OWNED, {2});
    send(with_numbers(ack, is_v4, kSequence + 1, cookie + kFar), XDP_TX, GH_NODE_SENT_ON, {2});
  }
}

TEST_F(SynCookies, WithoutAFloodAcksAreTheKernelsBusiness) {
  send(segment(true, kAck), XDP_PASS, GH_NODE_DELIVERED);
  read_reply(send(syn(true), XDP_TX, GH_NODE_COOKIE_SENT), 14);
  send(segment(true, kAck), XDP_DROP, GH_NODE_COOKIE_BAD);
  cookies_->last = 1;  // long ago
  send(segment(true, kAck), XDP_PASS, GH_NODE_DELIVERED);
}

TEST_F(SynCookies, AreLeftAloneWhereTheyAreOffOrNobodyIsInNeed) {
  send(with_numbers(segment(true, kSyn, kLinuxOptions, kClosedPort), true, kSequence, 0), XDP_PASS,
       GH_NODE_DELIVERED);
  cookies_->is_on = 0;
  send(syn(true), XDP_PASS, GH_NODE_DELIVERED);
  cookies_->is_on = 1;
  write_sysctl("tcp_syncookies", "1");  // the queue is empty
  send(syn(true), XDP_PASS, GH_NODE_DELIVERED);
  write_sysctl("tcp_syncookies", "0");
  send(syn(true), XDP_PASS, GH_NODE_DELIVERED);
}

TEST_F(SynCookies, WhatIsNoPlainSynIsTheKernelsBusiness) {
  for (const std::uint8_t flags : {kSyn | kAck, kSyn | kFin, kSyn | kReset}) {
    send(segment(true, flags), XDP_PASS, GH_NODE_DELIVERED);
  }
  send(Build().ipv4(kClient, kVip).options(from_hex("01010100")).tcp(40000, kPort, kSyn), XDP_PASS,
       GH_NODE_DELIVERED);
  send(Build().ipv4(kClient, kVip).udp(40000, kPort), XDP_PASS, GH_NODE_DELIVERED);
  send(Build().ipv4(kClient, kVip).fragment(0, true).tcp(40000, kPort, kSyn), XDP_PASS, GH_NODE_DELIVERED);
}

}  // namespace
}  // namespace gatehouse::test
