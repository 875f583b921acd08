#include "l7/http/h1_parser.h"

#include <cstring>

#include "l7/http/characters.h"
#include "l7/http/target.h"

namespace gatehouse::l7::http {
namespace {

struct Refusal {
  ParseStatus status = ParseStatus::kDone;
  const char* reason = "";
  bool is_set() const { return status != ParseStatus::kDone; }
};

constexpr Refusal malformed(const char* reason) { return {ParseStatus::kMalformed, reason}; }

// Where the head ends: behind its empty line. Every LF must follow a CR (RFC 9112 §2.2 would let us take a
// bare LF; two parsers that differ there are how requests are smuggled).
struct HeadEnd {
  std::size_t length = 0;  // 0: not there yet
  bool is_malformed = false;
};

HeadEnd find_head_end(std::string_view bytes, std::size_t start, std::size_t& scanned) {
  std::size_t line = std::max(start, scanned);
  while (line < bytes.size()) {
    const void* found = std::memchr(bytes.data() + line, '\n', bytes.size() - line);
    if (!found) break;
    const auto feed = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (feed == line || bytes[feed - 1] != '\r') return {0, true};
    if (feed == line + 1) return {feed + 1, false};
    line = feed + 1;
  }
  scanned = line;
  return {};
}

// The empty lines that some clients send after a body (RFC 9112 §2.2): at most two are forgiven.
std::size_t skip_empty_lines(std::string_view bytes) {
  std::size_t skipped = 0;
  while (skipped < 4 && bytes.substr(skipped).starts_with("\r\n")) skipped += 2;
  return skipped;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool parse_number(std::string_view text, std::uint64_t& number) {
  if (text.empty() || text.size() > 18 || !all_are(text, kDigit)) return false;
  number = 0;
  for (const char c : text) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  return true;
}

// What the framing and connection fields of a section say, gathered while they pass by.
struct Gathered {
  std::string_view host;
  unsigned hosts = 0;
  unsigned lengths = 0;
  std::uint64_t length = 0;
  unsigned codings = 0;  // members of all Transfer-Encoding fields
  bool is_chunked_last = false;
  unsigned chunked = 0;
  bool has_close = false;
  bool has_keep_alive = false;
  bool expects_continue = false;
  bool has_te_trailers = false;
  bool has_upgrade = false;        // says Connection
  std::string_view upgrade;
};

void gather_codings(std::string_view value, Gathered& gathered) {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view coding = trim(value.substr(0, comma));
    ++gathered.codings;
    gathered.is_chunked_last = equals_ignoring_case(coding, "chunked");
    if (gathered.is_chunked_last) ++gathered.chunked;
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

Refusal gather(const Field& field, Gathered& gathered) {
  const std::string_view name = field.name;
  switch (name.size()) {
    case 2:
      if (equals_ignoring_case(name, "te")) gathered.has_te_trailers |= has_member(field.value, "trailers");
      break;
    case 4:
      if (equals_ignoring_case(name, "host")) {
        ++gathered.hosts;
        gathered.host = field.value;
      }
      break;
    case 6:
      if (equals_ignoring_case(name, "expect")) {
        gathered.expects_continue |= equals_ignoring_case(field.value, "100-continue");
      }
      break;
    case 7:
      if (equals_ignoring_case(name, "upgrade")) gathered.upgrade = field.value;
      break;
    case 10:
      if (equals_ignoring_case(name, "connection")) {
        gathered.has_close |= has_member(field.value, "close");
        gathered.has_keep_alive |= has_member(field.value, "keep-alive");
        gathered.has_upgrade |= has_member(field.value, "upgrade");
      }
      break;
    case 14:
      if (equals_ignoring_case(name, "content-length")) {
        if (++gathered.lengths > 1) return malformed("more than one Content-Length");
        if (!parse_number(field.value, gathered.length)) return malformed("Content-Length is not a number");
      }
      break;
    case 17:
      if (equals_ignoring_case(name, "transfer-encoding")) gather_codings(field.value, gathered);
      break;
    default:
      break;
  }
  return {};
}

Refusal parse_field_line(std::string_view line, Field& field) {
  if (line.front() == ' ' || line.front() == '\t') return malformed("folded field line");
  std::size_t colon = 0;
  while (colon < line.size() && is_a(line[colon], kToken)) ++colon;
  if (colon == line.size()) return malformed("field line without a colon");
  if (line[colon] != ':') {
    const bool is_space = line[colon] == ' ' || line[colon] == '\t';
    return malformed(is_space ? "white space before the colon of a field"
                              : "character not allowed in a field name");
  }
  if (colon == 0) return malformed("empty field name");
  field = {line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!is_field_value(field.value)) return malformed("control character in a field value");
  return {};
}

// Parses the lines of `section`, which ends with the empty line.
Refusal parse_fields(std::string_view section, std::size_t max_fields, Fields& fields, Gathered& gathered) {
  fields.clear();
  while (section.size() > 2) {
    const std::size_t end = section.find('\n');
    Field field;
    const Refusal refusal = parse_field_line(section.substr(0, end - 1), field);
    if (refusal.is_set()) return refusal;
    if (fields.all().size() >= max_fields || !fields.add(field)) {
      return {ParseStatus::kFieldsTooLarge, "too many header fields"};
    }
    const Refusal unclear = gather(field, gathered);
    if (unclear.is_set()) return unclear;
    section.remove_prefix(end + 1);
  }
  return {};
}

// RFC 9112 §6.1, §6.3: the rules that both directions share. A Transfer-Encoding beside a Content-Length, in
// HTTP/1.0, or without chunked at its end is an attempt at smuggling or a broken peer.
Refusal check_coding(const Gathered& gathered, std::uint8_t minor_version) {
  if (gathered.codings == 0) return {};
  if (gathered.lengths != 0) return malformed("both Content-Length and Transfer-Encoding");
  if (minor_version == 0) return malformed("Transfer-Encoding in HTTP/1.0");
  if (!gathered.is_chunked_last) return malformed("Transfer-Encoding does not end with chunked");
  if (gathered.chunked > 1) return malformed("chunked more than once");
  if (gathered.codings > 1) return {ParseStatus::kNotImplemented, "transfer coding other than chunked"};
  return {};
}

bool is_kept_alive(const Gathered& gathered, std::uint8_t minor_version) {
  return !gathered.has_close && (minor_version == 1 || gathered.has_keep_alive);
}

// "HTTP/1.x" at the start of `text`; the minor version, or a refusal.
Refusal parse_version(std::string_view text, std::uint8_t& minor_version) {
  if (text.size() != 8 || !text.starts_with("HTTP/") || !is_a(text[5], kDigit) || text[6] != '.' ||
      !is_a(text[7], kDigit)) {
    return malformed("the HTTP version is not HTTP/1.0 or HTTP/1.1");
  }
  if (text[5] != '1')
    return {ParseStatus::kVersionNotSupported, "HTTP version other than 1.x on this connection"};
  minor_version = text[7] == '0' ? 0 : 1;
  return {};
}

// The four forms of RFC 9112 §3.2. Fills path, query and, for the absolute form, authority.
Refusal parse_target(Request& request) {
  const std::string_view target = request.target;
  if (request.method == "CONNECT") return {ParseStatus::kNotImplemented, "CONNECT is not served here"};
  if (target.front() == '/') {
    split_path(target, request);
    return {};
  }
  if (target == "*") {
    if (request.method != "OPTIONS") return malformed("target * with a method other than OPTIONS");
    request.path = target;
    return {};
  }
  const std::size_t scheme = equals_ignoring_case(target.substr(0, 7), "http://")    ? 7
                             : equals_ignoring_case(target.substr(0, 8), "https://") ? 8
                                                                                     : 0;
  if (scheme == 0) return malformed("the request target is neither a path nor an http URI");
  const std::string_view rest = target.substr(scheme);
  const std::size_t slash = std::min(rest.find_first_of("/?"), rest.size());
  request.authority = rest.substr(0, slash);
  split_path(rest.substr(slash), request);
  if (request.path.empty()) request.path = "/";
  return {};
}

Refusal parse_request_line(std::string_view line, std::size_t max_uri, Request& request) {
  const std::size_t method_end = line.find(' ');
  if (method_end == std::string_view::npos || method_end == 0)
    return malformed("the request line is not METHOD TARGET VERSION");
  const std::size_t target_end = line.find(' ', method_end + 1);
  if (target_end == std::string_view::npos) return malformed("the request line is not METHOD TARGET VERSION");
  request.method = line.substr(0, method_end);
  request.target = line.substr(method_end + 1, target_end - method_end - 1);
  if (!all_are(request.method, kToken)) return malformed("character not allowed in a method");
  if (request.target.empty()) return malformed("the request line is not METHOD TARGET VERSION");
  if (request.target.size() > max_uri) return {ParseStatus::kUriTooLong, "the request target is too long"};
  if (!all_are(request.target, kTarget)) return malformed("character not allowed in the request target");
  const Refusal version = parse_version(line.substr(target_end + 1), request.minor_version);
  return version.is_set() ? version : parse_target(request);
}

// RFC 9112 §3.2: exactly one Host in HTTP/1.1; where the target has an authority it must be the same one.
Refusal check_host(const Gathered& gathered, Request& request) {
  if (gathered.hosts > 1) return malformed("more than one Host");
  if (gathered.hosts == 0 && request.minor_version == 1) return malformed("no Host");
  const bool is_absolute =
      !request.authority.empty() || request.target.front() == 'h' || request.target.front() == 'H';
  if (is_absolute && gathered.hosts == 1 && !equals_ignoring_case(request.authority, gathered.host)) {
    return malformed("Host differs from the authority of the request target");
  }
  if (!is_absolute) request.authority = gathered.host;
  request.host = {};
  if (gathered.hosts == 0 && !is_absolute) return {};
  if (!parse_authority(request.authority, request.host))
    return malformed("Host is not a host name with an optional port");
  return {};
}

// WebSocket (RFC 6455 §4.1) is what we know how to switch to; a wish for anything else may be ignored (RFC 9110 §7.8).
std::string_view wanted_upgrade(const Gathered& gathered, const Request& request) {
  const bool may_switch = gathered.has_upgrade && request.minor_version == 1 && request.framing == Framing::kNone &&
                          request.method == "GET" && equals_ignoring_case(gathered.upgrade, "websocket");
  return may_switch ? gathered.upgrade : std::string_view();
}

ParseResult refused(const Refusal& refusal) { return {refusal.status, 0, refusal.reason}; }

// The head is not complete: may it still become one within the limits?
ParseResult judge_incomplete(std::string_view bytes, std::size_t start, std::size_t scanned, const HeadLimits& limits) {
  // While the start line is unfinished nothing but it has been scanned.
  if (scanned == start) {
    const std::size_t target = bytes.find(' ', start);
    const std::size_t end = target == std::string_view::npos ? target : std::min(bytes.find(' ', target + 1), bytes.size());
    if (target != std::string_view::npos && end - target - 1 > limits.max_uri_bytes) {
      return {ParseStatus::kUriTooLong, 0, "the request target is too long"};
    }
  }
  if (bytes.size() >= limits.max_bytes)
    return {ParseStatus::kFieldsTooLarge, 0, "the header section is too large"};
  return {};
}

}  // namespace

std::uint16_t response_status(ParseStatus status) {
  switch (status) {
    case ParseStatus::kUriTooLong:
      return 414;
    case ParseStatus::kFieldsTooLarge:
      return 431;
    case ParseStatus::kNotImplemented:
      return 501;
    case ParseStatus::kVersionNotSupported:
      return 505;
    default:
      return 400;
  }
}

ParseResult parse_request(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned,
                          Request& request) {
  const std::size_t start = skip_empty_lines(bytes);
  const HeadEnd end = find_head_end(bytes, start, scanned);
  if (end.is_malformed)
    return {ParseStatus::kMalformed, 0, "line feed without carriage return, or an empty request line"};
  if (end.length == 0) return judge_incomplete(bytes, start, scanned, limits);

  const std::string_view head = bytes.substr(start, end.length - start);
  const std::size_t line_end = head.find('\n');
  request.authority = request.query = {};
  Refusal refusal = parse_request_line(head.substr(0, line_end - 1), limits.max_uri_bytes, request);
  if (refusal.is_set()) return refused(refusal);
  if (end.length > limits.max_bytes)
    return {ParseStatus::kFieldsTooLarge, 0, "the header section is too large"};
  Gathered gathered;
  refusal = parse_fields(head.substr(line_end + 1), limits.max_fields, request.fields, gathered);
  if (!refusal.is_set()) refusal = check_coding(gathered, request.minor_version);
  if (!refusal.is_set()) refusal = check_host(gathered, request);
  if (refusal.is_set()) return refused(refusal);

  request.content_length = gathered.length;
  request.framing = gathered.codings  ? Framing::kChunked
                    : gathered.length ? Framing::kLength
                                      : Framing::kNone;
  request.is_keep_alive = is_kept_alive(gathered, request.minor_version);
  request.expects_continue =
      gathered.expects_continue && request.minor_version == 1 && request.framing != Framing::kNone;
  request.has_te_trailers = gathered.has_te_trailers;
  request.is_h2 = false;
  request.upgrade = wanted_upgrade(gathered, request);
  return {ParseStatus::kDone, end.length, ""};
}

namespace {

// status-line = HTTP-version SP 3DIGIT SP [ reason-phrase ]; the second SP is often forgotten, and
// harmlessly.
Refusal parse_status_line(std::string_view line, Response& response) {
  const Refusal version = parse_version(line.substr(0, 8), response.minor_version);
  if (version.is_set()) return version;
  const std::string_view code = line.size() >= 12 ? line.substr(9, 3) : std::string_view();
  if (code.size() != 3 || line[8] != ' ' || !all_are(code, kDigit) || code[0] < '1' || code[0] > '5') {
    return malformed("the status line has no status code from 100 to 599");
  }
  if (line.size() > 12 && line[12] != ' ') return malformed("the status code has more than three digits");
  response.status =
      static_cast<std::uint16_t>((code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0'));
  response.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (!is_field_value(response.reason)) return malformed("control character in the reason phrase");
  return {};
}

Framing response_framing(const Gathered& gathered, std::string_view method, std::uint16_t status) {
  const bool has_no_body = method == "HEAD" || status < 200 || status == 204 || status == 304 ||
                           (method == "CONNECT" && status < 300);
  if (has_no_body) return Framing::kNone;
  if (gathered.codings) return Framing::kChunked;
  if (!gathered.lengths) return Framing::kUntilClose;
  return gathered.length ? Framing::kLength : Framing::kNone;
}

}  // namespace

ParseResult parse_response(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned,
                           std::string_view method, Response& response) {
  const HeadEnd end = find_head_end(bytes, 0, scanned);
  if (end.is_malformed)
    return {ParseStatus::kMalformed, 0, "line feed without carriage return, or an empty status line"};
  if (end.length == 0) {
    if (bytes.size() < limits.max_bytes) return {};
    return {ParseStatus::kFieldsTooLarge, 0, "the header section is too large"};
  }
  if (end.length > limits.max_bytes) return {ParseStatus::kFieldsTooLarge, 0, "the header section is too large"};
  const std::string_view head = bytes.substr(0, end.length);
  const std::size_t line_end = head.find('\n');
  Gathered gathered;
  Refusal refusal = parse_status_line(head.substr(0, line_end - 1), response);
  if (!refusal.is_set()) {
    refusal = parse_fields(head.substr(line_end + 1), limits.max_fields, response.fields, gathered);
  }
  if (!refusal.is_set()) refusal = check_coding(gathered, response.minor_version);
  if (refusal.is_set()) return refused(refusal);
  response.framing = response_framing(gathered, method, response.status);
  response.content_length = gathered.length;
  response.is_h2 = false;
  response.is_keep_alive =
      is_kept_alive(gathered, response.minor_version) && response.framing != Framing::kUntilClose;
  return {ParseStatus::kDone, end.length, ""};
}

}  // namespace gatehouse::l7::http
