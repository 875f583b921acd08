// Answers of DNS servers: no answer is believed to have more than it has bytes for, and what is none says
// why.
#include <cstdint>

#include "common/check.h"
#include "l7/discovery/dns_message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse::l7;
  for (const DnsType type : {DnsType::kA, DnsType::kAaaa, DnsType::kSrv}) {
    const DnsAnswer answer = read_dns_answer({data, size}, type);
    const bool has_records = answer.kind == DnsAnswer::Kind::kRecords;
    GH_CHECK(has_records == answer.reason.empty());
    GH_CHECK(answer.ttl.count() >= 0);
    GH_CHECK(answer.kind != DnsAnswer::Kind::kNone || answer.addresses.empty());
    if (!has_records) continue;
    constexpr std::size_t kSmallest = 10;  // of a record, beside its name and data
    GH_CHECK((answer.addresses.size() + answer.services.size()) * kSmallest < size);
    GH_CHECK((type == DnsType::kSrv) == answer.addresses.empty());
    for (const SrvRecord& record : answer.services) GH_CHECK(record.port != 0 && !record.target.empty());
  }
  return 0;
}
