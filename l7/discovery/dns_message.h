// What a DNS server answered (RFC 1035 §4.1), as far as backends are concerned: addresses, SRV records, how
// long they hold. Only what is in the answer to our own question counts, whatever the names in it are: a
// resolver follows aliases for us.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/units.h"

namespace gatehouse::l7 {

enum class DnsType : std::uint16_t { kA = 1, kAaaa = 28, kSrv = 33 };
const char* name_of(DnsType type);

struct SrvRecord {  // RFC 2782
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  std::string target;
  auto operator<=>(const SrvRecord&) const = default;
};

struct DnsAnswer {
  enum class Kind : std::uint8_t {
    kFailed,   // nothing is known
    kNone,     // the name, or its records of this type, do not exist
    kRecords,  // there is at least one
  };
  Kind kind = Kind::kFailed;
  std::string reason;  // unless there are records
  Duration ttl{0};  // of the record that is over first; of kNone: what the zone says of that (RFC 2308 §5)
  std::vector<IpAddress> addresses;
  std::vector<SrvRecord> services;
};

DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, DnsType type);

}  // namespace gatehouse::l7
