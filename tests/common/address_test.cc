// IP addresses and endpoints: text in both families, and the kernel's form.
#include "common/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>
#include <vector>

namespace gatehouse {
namespace {

using namespace std::string_view_literals;

TEST(IpAddress, IsPrintedInItsShortestForm) {
  const std::pair<const char*, const char*> rows[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"192.0.2.1", "192.0.2.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"2001:DB8::1", "2001:db8::1"},
      {"2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"},
      {"2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
      {"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
      {"::ffff:192.0.2.1", "192.0.2.1"},  // one address, one form
      {"::ffff:c000:201", "192.0.2.1"},
  };
  for (const auto& [text, printed] : rows) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address.has_value()) << text;
    EXPECT_EQ(to_string(*address), printed);
    EXPECT_EQ(IpAddress::parse(printed), address);
  }
}

TEST(IpAddress, RefusesWhatIsNone) {
  for (const std::string_view text :
       {""sv,
        "1"sv,
        "1.2.3"sv,
        "1.2.3.4.5"sv,
        "256.1.1.1"sv,
        "1.2.3.-4"sv,
        "01.2.3.4"sv,
        "0x1.2.3.4"sv,
        "1.2.3.4 "sv,
        " 1.2.3.4"sv,
        "1.2.3.4/32"sv,
        "1.2.3.4:80"sv,
        ":"sv,
        ":::"sv,
        "1::2::3"sv,
        "2001:db8"sv,
        "12345::"sv,
        "g::"sv,
        "fe80::1%eth0"sv,
        "[::1]"sv,
        "::1 "sv,
        "1:2:3:4:5:6:7:8:9"sv,
        "localhost"sv,
        "00000000000000000000000000000000000000000000000000000000000001.2.3.4"sv}) {
    EXPECT_FALSE(IpAddress::parse(text).has_value()) << text;
  }
}

TEST(IpAddress, RefusesANulAndWhatFollowsIt) {
  EXPECT_FALSE(IpAddress::parse("192.0.2.1\0"sv).has_value());
  EXPECT_FALSE(IpAddress::parse("192.0.2.1\0.example"sv).has_value());
  EXPECT_FALSE(IpAddress::parse("::1\0junk"sv).has_value());
  EXPECT_FALSE(Endpoint::parse("192.0.2.1\0:80"sv).has_value());
}

TEST(IpAddress, KnowsItsFamily) {
  EXPECT_TRUE(IpAddress::parse("192.0.2.1")->is_v4());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_v4());
  EXPECT_FALSE(IpAddress::parse("::")->is_v4());
  EXPECT_FALSE(IpAddress::parse("::1.2.3.4")->is_v4());
  EXPECT_FALSE(IpAddress::parse("1::ffff:1.2.3.4")->is_v4());
  EXPECT_EQ(IpAddress::from_v4({192, 0, 2, 1}), *IpAddress::parse("192.0.2.1"));
}

TEST(IpAddress, KnowsWhenItIsUnspecified) {
  EXPECT_TRUE(IpAddress().is_unspecified());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_unspecified());
  EXPECT_TRUE(IpAddress::parse("::")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("0.0.0.1")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("::1")->is_unspecified());
  EXPECT_FALSE(IpAddress::parse("1::")->is_unspecified());
}

TEST(IpAddress, IsOrderedByItsBytes) {
  EXPECT_LT(*IpAddress::parse("192.0.2.1"), *IpAddress::parse("192.0.2.2"));
  EXPECT_LT(*IpAddress::parse("::1"), *IpAddress::parse("10.0.0.1"));
  EXPECT_LT(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("2001:db8::"));
}

TEST(IpPrefix, ContainsWhatBeginsLikeIt) {
  struct Row {
    const char* prefix;
    std::vector<const char*> inside;
    std::vector<const char*> outside;
  };
  const Row rows[] = {
      {"10.0.0.0/8", {"10.0.0.0", "10.255.255.255"}, {"9.255.255.255", "11.0.0.0", "::a00:0", "2001:db8::1"}},
      {"192.0.2.128/25", {"192.0.2.128", "192.0.2.255"}, {"192.0.2.127", "192.0.3.128"}},
      {"192.0.2.1", {"192.0.2.1"}, {"192.0.2.0", "192.0.2.3"}},
      {"192.0.2.1/32", {"192.0.2.1"}, {"192.0.2.0"}},
      {"0.0.0.0/0", {"0.0.0.0", "255.255.255.255"}, {"::1", "2001:db8::1"}},
      {"2001:db8::/33", {"2001:db8::1", "2001:db8:7fff::1"}, {"2001:db8:8000::", "2001:db9::", "192.0.2.1"}},
      {"::/0", {"::1", "2001:db8::1", "192.0.2.1"}, {}},
      {"::1/128", {"::1"}, {"::2", "::"}},
  };
  for (const Row& row : rows) {
    const auto prefix = IpPrefix::parse(row.prefix);
    ASSERT_TRUE(prefix.has_value()) << row.prefix;
    EXPECT_EQ(IpPrefix::parse(to_string(*prefix)), prefix) << row.prefix;
    for (const char* address : row.inside) EXPECT_TRUE(prefix->contains(*IpAddress::parse(address))) << row.prefix << " " << address;
    for (const char* address : row.outside) EXPECT_FALSE(prefix->contains(*IpAddress::parse(address))) << row.prefix << " " << address;
  }
}

TEST(IpPrefix, RefusesWhatIsNone) {
  for (const std::string_view text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8x",
                                      "10.0.0.0/8/8", "10.0.0.1/8", "10.0.0.0/7.0", "2001:db8::/129", "2001:db8::1/32",
                                      "10.0.0/8", "10.0.0.0 /8", "0.0.0.0/99999999999", "128.0.0.0/0"}) {
    EXPECT_FALSE(IpPrefix::parse(text).has_value()) << text;
  }
}

TEST(Endpoint, IsAnAddressAndAPort) {
  const std::pair<const char*, const char*> rows[] = {
      {"192.0.2.1:443", "192.0.2.1:443"},     {"192.0.2.1:0", "192.0.2.1:0"},
      {"192.0.2.1:65535", "192.0.2.1:65535"}, {"[::1]:80", "[::1]:80"},
      {"[2001:DB8::]:80", "[2001:db8::]:80"}, {"[::]:1", "[::]:1"},
  };
  for (const auto& [text, printed] : rows) {
    const auto endpoint = Endpoint::parse(text);
    ASSERT_TRUE(endpoint.has_value()) << text;
    EXPECT_EQ(to_string(*endpoint), printed);
    EXPECT_EQ(Endpoint::parse(printed), endpoint);
  }
  EXPECT_EQ(Endpoint::parse("192.0.2.1:443")->port, 443);
}

TEST(Endpoint, RefusesWhatIsNone) {
  for (const std::string_view text : {""sv,
                                      ":"sv,
                                      ":80"sv,
                                      "192.0.2.1"sv,
                                      "192.0.2.1:"sv,
                                      "192.0.2.1:65536"sv,
                                      "192.0.2.1:99999999999"sv,
                                      "192.0.2.1:-1"sv,
                                      "192.0.2.1:+1"sv,
                                      "192.0.2.1: 80"sv,
                                      "192.0.2.1:80 "sv,
                                      " 192.0.2.1:80"sv,
                                      "192.0.2.1:80x"sv,
                                      "192.0.2.1:0x50"sv,
                                      "192.0.2.1:80\0"sv,
                                      "192.0.2.1::80"sv,
                                      "[192.0.2.1]:80"sv,
                                      "[::ffff:192.0.2.1]:80"sv,
                                      "::1:80"sv,
                                      "2001:db8::1:80"sv,
                                      "[::1]"sv,
                                      "[::1]80"sv,
                                      "[::1]:"sv,
                                      "[::1:80"sv,
                                      "::1]:80"sv,
                                      "[]:80"sv,
                                      "[[::1]]:80"sv,
                                      "[::1]]:80"sv,
                                      "localhost:80"sv,
                                      "*:80"sv}) {
    EXPECT_FALSE(Endpoint::parse(text).has_value()) << text;
  }
}

// Read as an address alone, "::ffff:c000:201:80" is another IPv6 address: without brackets nobody can tell.
TEST(Endpoint, WantsBracketsAroundWhateverHasColons) {
  EXPECT_FALSE(Endpoint::parse("::ffff:192.0.2.1:80").has_value());
  EXPECT_FALSE(Endpoint::parse("::ffff:c000:201:80").has_value());
}

TEST(Endpoint, GoesToTheKernelAndBack) {
  const std::pair<const char*, socklen_t> rows[] = {{"192.0.2.1:443", sizeof(sockaddr_in)},
                                                    {"0.0.0.0:0", sizeof(sockaddr_in)},
                                                    {"[2001:db8::1]:80", sizeof(sockaddr_in6)},
                                                    {"[::]:65535", sizeof(sockaddr_in6)}};
  for (const auto& [text, length] : rows) {
    const Endpoint endpoint = *Endpoint::parse(text);
    sockaddr_storage storage;
    EXPECT_EQ(to_sockaddr(endpoint, storage), length);
    EXPECT_EQ(storage.ss_family, endpoint.address.is_v4() ? AF_INET : AF_INET6);
    EXPECT_EQ(Endpoint::from_sockaddr(storage), endpoint);
  }
}

TEST(Endpoint, OfAMappedSocketAddressIsTheIpv4One) {
  sockaddr_storage storage{};
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(80);
  const IpAddress mapped = *IpAddress::parse("192.0.2.1");
  std::copy(mapped.bytes.begin(), mapped.bytes.end(), v6.sin6_addr.s6_addr);
  EXPECT_EQ(to_string(Endpoint::from_sockaddr(storage)), "192.0.2.1:80");
}

TEST(Endpoint, OfAnotherFamilyIsEmpty) {
  sockaddr_storage storage{};
  storage.ss_family = AF_UNIX;
  EXPECT_EQ(Endpoint::from_sockaddr(storage), Endpoint());
}

}  // namespace
}  // namespace gatehouse
