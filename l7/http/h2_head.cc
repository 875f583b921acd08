#include "l7/http/h2_head.h"

#include <charconv>

#include "l7/http/characters.h"
#include "l7/http/head_fields.h"
#include "l7/http/target.h"

namespace gatehouse::l7::http {
namespace {

constexpr ParseResult malformed(const char* reason) { return {ParseStatus::kMalformed, 0, reason}; }
constexpr ParseResult kGood{ParseStatus::kDone, 0, ""};

bool parse_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return !text.empty() && text.size() <= 18 && error == std::errc() && end == text.data() + text.size();
}

// What the pseudo fields say, and the fields that frame.
struct Gathered {
  std::string_view method, path, authority, protocol;
  std::string_view host;
  std::string_view status;
  bool has_authority = false;
  bool has_host = false;
  bool has_length = false;
  bool has_te_trailers = false;
  std::uint64_t length = 0;
  ParseResult refusal = kGood;
};

void gather_pseudo(std::string_view name, std::string_view value, Gathered& gathered) {
  if (name == ":method") gathered.method = value;
  if (name == ":path") gathered.path = value;
  if (name == ":protocol") gathered.protocol = value;
  if (name == ":status") gathered.status = value;
  if (name == ":authority") {
    gathered.authority = value;
    gathered.has_authority = true;
  }
}

// Whether the field is one of the message's own: Host is said by the authority, TE is for this connection.
bool gather(std::string_view name, std::string_view value, Gathered& gathered) {
  if (name == "host") {
    gathered.has_host = true;
    gathered.host = value;
    return false;
  }
  if (name == "te") {
    gathered.has_te_trailers = true;  // nghttp2 lets nothing else through
    return false;
  }
  if (name == "content-length") {
    gathered.has_length = true;
    if (!parse_number(value, gathered.length)) gathered.refusal = malformed("Content-Length is not a number");
  }
  return true;
}

void read_fields(const FieldBlock& block, std::size_t most, Fields& fields, Gathered& gathered) {
  fields.clear();
  block.for_each([&](std::string_view name, std::string_view value) {
    if (name.starts_with(':')) return gather_pseudo(name, value, gathered);
    if (!gather(name, value, gathered)) return;
    if (!all_are(name, kToken)) gathered.refusal = malformed("character not allowed in a field name");
    if (!is_field_value(value)) gathered.refusal = malformed("control character in a field value");
    const bool has_room = fields.all().size() < most && fields.add({name, value});
    if (!has_room) gathered.refusal = {ParseStatus::kFieldsTooLarge, 0, "too many header fields"};
  });
}

// CONNECT is extended (RFC 8441) or not served; to everything behind us it is the upgrade that it stands for.
ParseResult read_method(const Gathered& gathered, Request& request) {
  request.method = gathered.method;
  request.upgrade = {};
  if (!all_are(request.method, kToken)) return malformed("character not allowed in a method");
  if (request.method != "CONNECT") return kGood;
  if (gathered.protocol != "websocket") return {ParseStatus::kNotImplemented, 0, "CONNECT is not served here"};
  request.method = "GET";
  request.upgrade = gathered.protocol;
  return kGood;
}

ParseResult read_target(const Gathered& gathered, const HeadLimits& limits, Request& request) {
  request.target = gathered.path;
  request.query = {};
  if (request.target.size() > limits.max_uri_bytes) return {ParseStatus::kUriTooLong, 0, "the request target is too long"};
  if (request.target.empty() || !all_are(request.target, kTarget)) return malformed("character not allowed in the request target");
  const bool is_asterisk = request.target == "*" && request.method == "OPTIONS";
  if (!request.target.starts_with('/') && !is_asterisk) return malformed("the request target is not a path");
  split_path(request.target, request);
  // RFC 9113 §8.3.1: Host must say what :authority says; we do not choose between two.
  const bool differs = gathered.has_host && gathered.has_authority && !equals_ignoring_case(gathered.host, gathered.authority);
  if (differs) return malformed("Host differs from the authority");
  request.authority = gathered.has_authority ? gathered.authority : gathered.host;
  if (!parse_authority(request.authority, request.host)) return malformed("the authority is not a host name with an optional port");
  return kGood;
}

}  // namespace

ParseResult read_h2_request(const FieldBlock& block, const HeadLimits& limits, std::optional<std::size_t> body, Request& request) {
  Gathered gathered;
  read_fields(block, limits.max_fields, request.fields, gathered);
  if (gathered.refusal.status != ParseStatus::kDone) return gathered.refusal;
  ParseResult result = read_method(gathered, request);
  if (result.status == ParseStatus::kDone) result = read_target(gathered, limits, request);
  if (result.status != ParseStatus::kDone) return result;
  request.minor_version = 1;
  request.is_h2 = true;
  request.is_keep_alive = true;
  request.expects_continue = false;
  request.has_te_trailers = gathered.has_te_trailers;
  const bool has_length = gathered.has_length || body;
  request.content_length = gathered.has_length ? gathered.length : body.value_or(0);  // nghttp2 sees to it that they agree
  // What follows an extended CONNECT is for when it has been accepted.
  const bool is_empty = (has_length && request.content_length == 0) || !request.upgrade.empty();
  request.framing = is_empty ? Framing::kNone : has_length ? Framing::kLength : Framing::kChunked;
  return {ParseStatus::kDone, block.size(), ""};
}

bool is_interim_h2(const FieldBlock& block) {
  bool is_interim = false;
  block.for_each([&](std::string_view name, std::string_view value) { is_interim |= name == ":status" && value.starts_with('1'); });
  return is_interim;
}

ParseResult read_h2_response(const FieldBlock& block, std::optional<std::size_t> body, bool is_head_request, Response& response) {
  Gathered gathered;
  read_fields(block, kMaxFields, response.fields, gathered);
  if (gathered.refusal.status != ParseStatus::kDone) return gathered.refusal;
  std::uint64_t status = 0;
  if (!parse_number(gathered.status, status) || status < 100 || status > 599) return malformed("no status code from 100 to 599");
  response.status = static_cast<std::uint16_t>(status);
  response.reason = reason_phrase(response.status);
  response.minor_version = 1;
  response.is_h2 = true;
  response.is_keep_alive = true;
  const bool has_no_body = is_head_request || status < 200 || status == 204 || status == 304;
  response.content_length = gathered.has_length ? gathered.length : body.value_or(0);
  // Of length 0 it may have been said by the backend or not: it is said once either way.
  if (has_no_body || (gathered.has_length && gathered.length == 0)) {
    response.framing = Framing::kNone;
  } else {
    response.framing = gathered.has_length || body ? Framing::kLength : Framing::kChunked;
  }
  return {ParseStatus::kDone, block.size(), ""};
}

namespace {

// Writes into a block; fails once and for all when that is full.
class BlockWriter {
 public:
  explicit BlockWriter(FieldBlock& block) : block_(block) {}
  void field(std::string_view name, std::string_view value) { is_good_ = is_good_ && block_.add(name, value); }
  BlockWriter& begin_field(std::string_view name) {
    field(name, {});
    return *this;
  }
  BlockWriter& operator<<(std::string_view text) {
    is_good_ = is_good_ && block_.extend_value(text);
    return *this;
  }
  void end_field() {}
  bool is_good() const { return is_good_; }

 private:
  FieldBlock& block_;
  bool is_good_ = true;
};

}  // namespace

bool write_h2_request_head(FieldBlock& block, const Request& request, const Forwarding& forwarding) {
  const ConnectionNames names(request.fields);
  BlockWriter writer(block);
  writer.field(":method", request.method);
  writer.field(":scheme", forwarding.protocol);
  writer.field(":authority", request.authority);
  writer.begin_field(":path") << (request.path.empty() ? "/" : request.path);
  if (request.query.data()) writer << "?" << request.query;
  writer.end_field();
  write_request_fields(writer, request, forwarding, names);
  if (request.framing == Framing::kLength) {
    char digits[20];
    const char* end = std::to_chars(digits, digits + sizeof digits, request.content_length).ptr;
    writer.field("content-length", {digits, static_cast<std::size_t>(end - digits)});
  }
  if (request.has_te_trailers) writer.field("te", "trailers");
  write_forwarding(writer, request, forwarding);
  if (writer.is_good() && !names.is_overfull()) return true;
  block.release();
  return false;
}

void H2Fields::field(std::string_view name, std::string_view value, std::uint8_t flags) {
  if (count_ == kMost) {
    is_overfull_ = true;
    return;
  }
  // nghttp2 only reads them; its type says otherwise for the sake of C.
  const auto bytes = [](std::string_view text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); };
  values_[count_++] = {bytes(name), bytes(value), name.size(), value.size(), flags};
}

bool H2Fields::assign(const Response& response, const ResponseStyle& style) {
  const ConnectionNames names(response.fields);
  count_ = 0;
  for (int i = 2, rest = response.status; i >= 0; --i, rest /= 10) status_[static_cast<std::size_t>(i)] = static_cast<char>('0' + rest % 10);
  field(":status", {status_.data(), status_.size()});
  write_response_fields(*this, response, style, names);
  if (style.framing == Framing::kLength) {
    const char* end = std::to_chars(number_.data(), number_.data() + number_.size(), response.content_length).ptr;
    field("content-length", {number_.data(), static_cast<std::size_t>(end - number_.data())});
  }
  // Never the same twice: it would only push useful entries out of the table.
  if (!style.request_id.empty()) field("x-request-id", style.request_id, NGHTTP2_NV_FLAG_NO_INDEX);
  field("via", style.via);
  return !is_overfull_ && !names.is_overfull();
}

bool H2Fields::assign(const Fields& fields) {
  count_ = 0;
  for (const Field& each : fields.all()) field(each.name, each.value);
  return !is_overfull_;
}

void H2Fields::assign(const FieldBlock& block) {
  count_ = 0;
  block.for_each([this](std::string_view name, std::string_view value) {
    field(name, value, equals_ignoring_case(name, "x-request-id") ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
  });
}

}  // namespace gatehouse::l7::http
