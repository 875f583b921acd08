// Answers of DNS servers as bytes. They are those that the fuzzer begins with.
#include "l7/discovery/dns_message.h"

#include <gtest/gtest.h>

#include "tests/support/source_tree.h"

namespace gatehouse::l7 {
namespace {

std::string said(const std::string& file, DnsType type) {
  const std::string bytes = test::read_text(test::kSourceRoot / "tests/fuzz/corpus/dns_answer" / file);
  const DnsAnswer answer =
      read_dns_answer({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, type);
  std::string text = answer.kind == DnsAnswer::Kind::kFailed ? "failed: "
                     : answer.kind == DnsAnswer::Kind::kNone ? "none: "
                                                             : "";
  text += answer.reason;
  for (const IpAddress& address : answer.addresses) text += to_string(address) + " ";
  for (const SrvRecord& each : answer.services) {
    text += std::to_string(each.priority) + "/" + std::to_string(each.weight) + "/" + each.target + ":" +
            std::to_string(each.port) + " ";
  }
  return text + (answer.kind == DnsAnswer::Kind::kFailed ? "" : " ttl " + to_string(answer.ttl));
}

TEST(DnsMessage, IsReadOrRefusedWhole) {
  const std::tuple<const char*, DnsType, const char*> rows[] = {
      {"a_two", DnsType::kA, "192.0.2.7 192.0.2.8  ttl 5s"},
      {"a_two", DnsType::kAaaa, "none: no AAAA records ttl 0ms"},
      {"aaaa", DnsType::kAaaa, "2001:db8::9  ttl 1m"},
      {"alias", DnsType::kA, "192.0.2.7  ttl 3s"},
      {"srv", DnsType::kSrv, "10/5/a.test:8080 20/0/b.test:8081  ttl 1m"},
      {"srv_pointer", DnsType::kSrv, "1/1/a.api.test:80  ttl 1m"},
      {"srv_root", DnsType::kSrv, "none: no SRV records ttl 0ms"},
      {"nxdomain", DnsType::kA, "none: NXDOMAIN ttl 30s"},
      {"nodata", DnsType::kA, "none: no A records ttl 10s"},
      {"servfail", DnsType::kA, "failed: SERVFAIL"},
      {"truncated_flag", DnsType::kA, "failed: an answer that is cut short"},
      {"cut", DnsType::kA, "failed: a malformed answer"},
      {"too_many", DnsType::kA, "failed: a malformed answer"},
      {"short_address", DnsType::kA, "failed: a malformed answer"},
      {"loop", DnsType::kSrv, "failed: a malformed answer"},
      {"zero_address", DnsType::kA, "none: no A records ttl 0ms"},
      {"huge_ttl", DnsType::kA, "192.0.2.7  ttl 0ms"},
      {"other_class", DnsType::kA, "none: no A records ttl 0ms"},
      {"question", DnsType::kA, "failed: a malformed answer"},
      {"empty", DnsType::kA, "failed: a malformed answer"},
  };
  for (const auto& [file, type, expected] : rows) EXPECT_EQ(said(file, type), expected) << file;
}

}  // namespace
}  // namespace gatehouse::l7
