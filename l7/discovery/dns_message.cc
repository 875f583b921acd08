// Every read is checked against the end of the message; names are expanded by c-ares, which checks its own.
#include "l7/discovery/dns_message.h"

#include <ares.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace gatehouse::l7 {
namespace {

constexpr std::uint16_t kCname = 5, kSoa = 6, kInternet = 1;
constexpr std::uint16_t kIsAnswer = 0x8000, kIsCut = 0x0200;
constexpr const char* kCodes[] = {"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> message) : message_(message) {}

  bool is_good() const { return is_good_; }
  std::size_t place() const { return place_; }
  std::uint16_t u16() {
    const auto bytes = take(2);
    return is_good_ ? static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]) : std::uint16_t{0};
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::span<const std::uint8_t> take(std::size_t count) {
    is_good_ = is_good_ && count <= message_.size() - place_;
    if (!is_good_) return {};
    place_ += count;
    return message_.subspan(place_ - count, count);
  }
  void skip_name() {
    constexpr std::uint8_t kPointer = 0xc0;
    for (;;) {
      const auto length = take(1);
      if (!is_good_ || length[0] == 0) return;
      if ((length[0] & kPointer) == kPointer) {
        take(1);
        return;
      }
      take(length[0]);
    }
  }
  // Of a name within the record that has been taken.
  std::optional<std::string> name_at(std::size_t place) const {
    char* text = nullptr;
    long length = 0;
    const int status = ares_expand_name(message_.data() + place, message_.data(),
                                        static_cast<int>(message_.size()), &text, &length);
    if (status != ARES_SUCCESS) return std::nullopt;
    std::string name(text);
    ares_free_string(text);
    return name;
  }

 private:
  std::span<const std::uint8_t> message_;
  std::size_t place_ = 0;
  bool is_good_ = true;
};

struct Record {
  std::uint16_t type = 0;
  std::uint16_t kind = 0;  // class
  Duration ttl{0};
  std::span<const std::uint8_t> data;
  std::size_t place = 0;  // of data, in the message
};

Record read_record(Reader& reader) {
  Record record;
  reader.skip_name();
  record.type = reader.u16();
  record.kind = reader.u16();
  const std::uint32_t ttl = reader.u32();
  record.ttl = std::chrono::seconds(ttl > 0x7fffffff ? 0 : ttl);  // RFC 2181 §8
  const std::uint16_t length = reader.u16();
  record.place = reader.place();
  record.data = reader.take(length);
  return record;
}

// False: it is not what its type says.
bool take_record(const Reader& reader, const Record& record, DnsAnswer& answer) {
  const auto& data = record.data;
  const auto number = [&data](std::size_t at) {
    return static_cast<std::uint16_t>(data[at] << 8 | data[at + 1]);
  };
  IpAddress address;
  switch (static_cast<DnsType>(record.type)) {
    case DnsType::kA:
      if (data.size() != 4) return false;
      address = IpAddress::from_v4({data[0], data[1], data[2], data[3]});
      break;
    case DnsType::kAaaa:
      if (data.size() != 16) return false;
      std::copy(data.begin(), data.end(), address.bytes.begin());
      break;
    case DnsType::kSrv: {
      constexpr std::size_t kHead = 6;
      if (data.size() <= kHead) return false;
      auto target = reader.name_at(record.place + kHead);
      if (!target) return false;
      // "." says that there is no such service (RFC 2782).
      const bool is_there = !target->empty() && *target != "." && number(4) != 0;
      if (is_there) answer.services.push_back({number(0), number(2), number(4), std::move(*target)});
      return true;
    }
  }
  // 0.0.0.0 would be this host: it is how resolvers say that a name is blocked.
  if (!address.is_unspecified()) answer.addresses.push_back(address);
  return true;
}

DnsAnswer failed(std::string reason) { return {DnsAnswer::Kind::kFailed, std::move(reason)}; }

// How long that there is nothing holds; 0: the zone says nothing of it.
Duration negative_ttl(Reader& reader, std::uint16_t authorities) {
  for (std::uint16_t i = 0; i < authorities && reader.is_good(); ++i) {
    const Record record = read_record(reader);
    if (!reader.is_good() || record.type != kSoa || record.data.size() < 4) continue;
    Reader minimum(record.data.last(4));
    return std::min<Duration>(record.ttl, std::chrono::seconds(minimum.u32()));
  }
  return Duration(0);
}

}  // namespace

const char* name_of(DnsType type) {
  return type == DnsType::kA ? "A" : type == DnsType::kAaaa ? "AAAA" : "SRV";
}

DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, DnsType type) {
  Reader reader(message);
  reader.u16();
  const std::uint16_t flags = reader.u16(), questions = reader.u16(), answers = reader.u16(),
                      authorities = reader.u16();
  reader.u16();
  const unsigned code = flags & 0xfu;
  if (!reader.is_good() || !(flags & kIsAnswer)) return failed("a malformed answer");
  if (code != 0 && code != 3)
    return failed(code < std::size(kCodes) ? kCodes[code] : "answer code " + std::to_string(code));
  if (flags & kIsCut) return failed("an answer that is cut short");
  for (std::uint16_t i = 0; i < questions && reader.is_good(); ++i) {
    reader.skip_name();
    reader.u32();
  }
  DnsAnswer answer;
  Duration ttl = Duration::max();
  for (std::uint16_t i = 0; i < answers && reader.is_good(); ++i) {
    const Record record = read_record(reader);
    const bool is_ours = record.kind == kInternet && record.type == static_cast<std::uint16_t>(type);
    if (!reader.is_good() || (is_ours && !take_record(reader, record, answer)))
      return failed("a malformed answer");
    if (is_ours || record.type == kCname) ttl = std::min(ttl, record.ttl);
  }
  const bool has_records = code == 0 && (!answer.addresses.empty() || !answer.services.empty());
  if (has_records) {
    answer.kind = DnsAnswer::Kind::kRecords;
    answer.ttl = ttl;
    return answer;
  }
  const Duration none_ttl = negative_ttl(reader, authorities);
  if (!reader.is_good()) return failed("a malformed answer");
  return {DnsAnswer::Kind::kNone,
          code == 3 ? std::string("NXDOMAIN") : std::string("no ") + name_of(type) + " records", none_ttl};
}

}  // namespace gatehouse::l7
