// RFC 8446 §4.1.2 and §5.1 (the same bytes as RFC 5246 §7.4.1.2), RFC 6066 §3, RFC 7301 §3.1.
#include "l7/tcp/client_hello.h"

#include <algorithm>
#include <utility>

namespace gatehouse::l7::tcp {
namespace {

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kLongestRecord = 1 << 14;
constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kServerName = 0, kProtocols = 16;  // extensions
constexpr std::size_t kLongestName = 255;

// Takes vectors off the front of bytes (RFC 8446 §3.4). What is not there is remembered: one look at the end
// suffices.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : rest_(bytes) {}

  std::size_t number(std::size_t size) {
    std::size_t value = 0;
    for (const char c : take(size)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      is_good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // With `size` bytes of length before it.
  std::string_view vector(std::size_t size) { return take(number(size)); }
  bool is_good() const { return is_good_; }
  bool is_empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool is_good_ = true;
};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

ClientHello::Status ClientHello::malformed(const char* reason) {
  reason_ = reason;
  return Status::kMalformed;
}

bool ClientHello::refuse(const char* reason) {
  reason_ = reason;
  return false;
}

ClientHello::Status ClientHello::read(std::string_view bytes) {
  server_name_ = first_protocol_ = {};
  reason_ = "";
  const Status joined = join_records(bytes);
  if (joined != Status::kDone) return joined;
  return parse(std::string_view(message_).substr(kMessageHeader)) ? Status::kDone : Status::kMalformed;
}

// Until the whole message is there; what follows it in its record is the backend's business.
ClientHello::Status ClientHello::join_records(std::string_view bytes) {
  message_.clear();
  std::size_t wanted = kMessageHeader;
  while (message_.size() < wanted) {
    if (bytes.empty()) return Status::kNeedMore;
    if (static_cast<std::uint8_t>(bytes[0]) != kHandshake) return malformed("not a TLS handshake");
    if (bytes.size() > 1 && bytes[1] != 3) return malformed("not TLS");
    if (bytes.size() < kRecordHeader) return Status::kNeedMore;
    const std::size_t length = Cursor(bytes.substr(3)).number(2);
    if (length == 0 || length > kLongestRecord) return malformed("a record of a length that is not allowed");
    bytes.remove_prefix(kRecordHeader);
    const bool had_header = message_.size() >= kMessageHeader;
    message_ += bytes.substr(0, length);
    bytes.remove_prefix(std::min(length, bytes.size()));
    if (!message_.empty() && static_cast<std::uint8_t>(message_[0]) != kClientHello)
      return malformed("not a ClientHello");
    if (had_header || message_.size() < kMessageHeader) continue;
    wanted = kMessageHeader + Cursor(std::string_view(message_).substr(1)).number(3);
    if (wanted > kLongestHello) return malformed("a ClientHello that is too long");
  }
  message_.resize(wanted);
  return Status::kDone;
}

bool ClientHello::parse(std::string_view message) {
  Cursor hello(message);
  const std::size_t version = hello.number(2);
  hello.take(32);  // random
  const std::size_t session = hello.vector(1).size();
  const std::size_t ciphers = hello.vector(2).size();
  const std::size_t compressions = hello.vector(1).size();
  if (!hello.is_good()) return refuse("a ClientHello that ends within its fields");
  if (version >> 8 != 3) return refuse("not a version of TLS");
  if (session > 32 || ciphers < 2 || ciphers % 2 != 0 || compressions == 0)
    return refuse("a field of a length that is not allowed");
  if (hello.is_empty()) return true;  // TLS 1.2 may be without extensions
  const std::string_view extensions = hello.vector(2);
  if (!hello.is_good() || !hello.is_empty()) return refuse("extensions that do not end with the ClientHello");
  return parse_extensions(extensions);
}

bool ClientHello::parse_extensions(std::string_view extensions) {
  bool has_names = false, has_protocols = false;
  Cursor cursor(extensions);
  while (!cursor.is_empty()) {
    const std::size_t type = cursor.number(2);
    const std::string_view data = cursor.vector(2);
    if (!cursor.is_good()) return refuse("an extension that is longer than all of them");
    if (type != kServerName && type != kProtocols) continue;
    // Whose name would it be (RFC 8446 §4.2)?
    bool& is_known = type == kServerName ? has_names : has_protocols;
    if (std::exchange(is_known, true)) return refuse("an extension that is there twice");
    if (!(type == kServerName ? parse_server_names(data) : parse_protocols(data))) return false;
  }
  return true;
}

bool ClientHello::parse_server_names(std::string_view data) {
  Cursor outer(data);
  Cursor list(outer.vector(2));
  if (!outer.is_good() || !outer.is_empty() || list.is_empty())
    return refuse("a malformed list of server names");
  while (!list.is_empty()) {
    const std::size_t type = list.number(1);
    const std::string_view name = list.vector(2);
    if (!list.is_good()) return refuse("a malformed list of server names");
    if (type != 0) continue;
    if (!server_name_.empty()) return refuse("two server names");
    if (!is_name(name)) return refuse("a server name that is none");
    server_name_ = name;
  }
  return true;
}

bool ClientHello::parse_protocols(std::string_view data) {
  Cursor outer(data);
  Cursor list(outer.vector(2));
  if (!outer.is_good() || !outer.is_empty() || list.is_empty())
    return refuse("a malformed list of protocols");
  while (!list.is_empty()) {
    const std::string_view protocol = list.vector(1);
    if (!list.is_good() || protocol.empty()) return refuse("a malformed list of protocols");
    if (first_protocol_.empty()) first_protocol_ = protocol;
  }
  return true;
}

}  // namespace gatehouse::l7::tcp
