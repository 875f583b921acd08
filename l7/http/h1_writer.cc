#include "l7/http/h1_writer.h"

#include <algorithm>
#include <charconv>

#include "common/check.h"

namespace gatehouse::l7::http {
namespace {

constexpr std::size_t kOwnFields = 1024;  // room for what we add, beyond texts that are counted

// Writes into room that was made beforehand.
class HeadWriter {
 public:
  // False when `bound` bytes cannot be had.
  bool begin(Buffer& output, std::size_t bound) {
    output_ = &output;
    if (output.room() < bound && (!output.grow() || output.room() < bound)) return false;
    start_ = at_ = output.tail();
    end_ = start_ + bound;
    return true;
  }
  HeadWriter& operator<<(std::string_view text) {
    at_ = std::copy(text.begin(), text.end(), at_);
    return *this;
  }
  HeadWriter& operator<<(std::uint64_t number) {
    at_ = std::to_chars(at_, at_ + 20, number).ptr;
    return *this;
  }
  void field(std::string_view name, std::string_view value) { *this << name << ": " << value << "\r\n"; }
  bool finish() {
    GH_CHECK(at_ <= end_);
    output_->commit(static_cast<std::size_t>(at_ - start_));
    return true;
  }

 private:
  Buffer* output_ = nullptr;
  char* start_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

// The names that Connection fields declare as hop-by-hop; what everybody says ("close", "keep-alive") names nothing.
class ConnectionNames {
 public:
  explicit ConnectionNames(const Fields& fields) {
    for (const Field& field : fields.all()) {
      if (field.name.size() != 10 || !equals_ignoring_case(field.name, "connection")) continue;
      if (equals_ignoring_case(field.value, "close") || equals_ignoring_case(field.value, "keep-alive")) continue;
      if (count_ < kMost) values_[count_] = field.value;
      ++count_;
    }
  }
  bool is_overfull() const { return count_ > kMost; }
  bool is_dropped(std::string_view name) const {
    if (is_hop_by_hop(name, {})) return true;
    for (std::size_t i = 0; i < count_ && i < kMost; ++i) {
      if (has_member(values_[i], name)) return true;
    }
    return false;
  }

 private:
  static constexpr std::size_t kMost = 8;  // more is nobody's honest message: refused as too large
  std::string_view values_[kMost];
  std::size_t count_ = 0;
};

// What backends are told of a client's certificate: never what the client says of itself (RFC 9440 §4).
bool is_about_certificate(std::string_view name) {
  for (const std::string_view known : {"x-client-cert-verified", "x-client-cert-subject", "x-client-cert-names",
                                       "x-client-cert-fingerprint", "client-cert", "client-cert-chain"}) {
    if (equals_ignoring_case(name, known)) return true;
  }
  return false;
}

// Fields whose place in a forwarded request is ours. Lengths first: most names are none of these.
bool is_ours(std::string_view name, const Forwarding& forwarding, bool has_body) {
  const bool is_trusted = forwarding.is_trusted;
  switch (name.size()) {
    case 4: return equals_ignoring_case(name, "host");
    case 9: return !is_trusted && equals_ignoring_case(name, "forwarded");
    case 10: return forwarding.is_early && equals_ignoring_case(name, "early-data");
    case 11:
    case 19:
    case 21:
    case 22:
    case 25: return (!is_trusted || forwarding.certificate) && is_about_certificate(name);
    case 12: return equals_ignoring_case(name, "x-request-id");
    case 14: return has_body && equals_ignoring_case(name, "content-length");  // else it says 0, as it should
    case 15: return equals_ignoring_case(name, "x-forwarded-for");
    case 16:
      return !is_trusted && (equals_ignoring_case(name, "x-forwarded-host") || equals_ignoring_case(name, "x-forwarded-port"));
    case 17:
      return (!is_trusted && equals_ignoring_case(name, "x-forwarded-proto")) ||
             ((!is_trusted || forwarding.certificate) && is_about_certificate(name));
    case 18: return !is_trusted && equals_ignoring_case(name, "x-forwarded-prefix");
    default: return false;
  }
}

void write_framing(HeadWriter& writer, Framing framing, std::uint64_t length) {
  if (framing == Framing::kChunked) writer.field("Transfer-Encoding", "chunked");
  if (framing == Framing::kLength) writer << "Content-Length: " << length << "\r\n";
}

// Forwarded's "for" must be quoted and bracketed for IPv6 (RFC 7239 §6).
void write_forwarded(HeadWriter& writer, const Request& request, const Forwarding& forwarding) {
  const bool is_v6 = forwarding.client.find(':') != std::string_view::npos;
  writer << "Forwarded: for=" << (is_v6 ? "\"[" : "") << forwarding.client << (is_v6 ? "]\"" : "")
         << ";proto=" << forwarding.protocol << ";host=\"" << request.authority << "\"\r\n";
}

void write_forwarding(HeadWriter& writer, const Request& request, const Forwarding& forwarding) {
  const Fields& fields = request.fields;
  writer << "X-Forwarded-For: ";
  if (forwarding.is_trusted) {
    for (const Field& field : fields.all()) {
      if (equals_ignoring_case(field.name, "x-forwarded-for")) writer << field.value << ", ";
    }
  }
  writer << forwarding.client << "\r\n";
  const bool keeps = forwarding.is_trusted;
  if (!keeps || !fields.find("x-forwarded-proto")) writer.field("X-Forwarded-Proto", forwarding.protocol);
  if (!keeps || !fields.find("x-forwarded-host")) writer.field("X-Forwarded-Host", request.authority);
  write_forwarded(writer, request, forwarding);
  writer.field("X-Request-ID", forwarding.request_id);
  writer.field("Via", forwarding.via);
}

void write_certificate(HeadWriter& writer, const ClientCertificate& certificate) {
  writer.field("X-Client-Cert-Verified", certificate.verified);
  if (certificate.fingerprint.empty()) return;
  writer.field("X-Client-Cert-Subject", certificate.subject);
  if (!certificate.names.empty()) writer.field("X-Client-Cert-Names", certificate.names);
  writer.field("X-Client-Cert-Fingerprint", certificate.fingerprint);
}

std::size_t size_of(const ClientCertificate* certificate) {
  if (!certificate) return 0;
  return certificate->verified.size() + certificate->subject.size() + certificate->names.size() + certificate->fingerprint.size();
}

void write_target(HeadWriter& writer, const Request& request) {
  if (request.path.empty()) {
    writer << "/";  // absolute-form without a path
  } else {
    writer << request.path;
  }
  if (request.query.data()) writer << "?" << request.query;
}

void write_persistence(HeadWriter& writer, Persistence persistence) {
  if (persistence == Persistence::kClose) writer.field("Connection", "close");
  if (persistence == Persistence::kKeepAlive) writer.field("Connection", "keep-alive");
}

}  // namespace

bool write_request_head(Buffer& output, const Request& request, std::size_t length, const Forwarding& forwarding) {
  const ConnectionNames names(request.fields);
  HeadWriter writer;
  // "a:b" becomes "a: b", and the authority is said three times.
  const std::size_t bound = length + kMaxFields + 3 * request.authority.size() + 2 * forwarding.client.size() +
                            forwarding.via.size() + forwarding.request_id.size() + size_of(forwarding.certificate) + kOwnFields;
  if (names.is_overfull() || !writer.begin(output, bound)) return false;
  writer << request.method << " ";
  write_target(writer, request);
  writer << " HTTP/1.1\r\n";
  writer.field("Host", request.authority);
  const bool has_body = request.framing != Framing::kNone;
  for (const Field& field : request.fields.all()) {
    if (!is_ours(field.name, forwarding, has_body) && !names.is_dropped(field.name)) writer.field(field.name, field.value);
  }
  write_framing(writer, request.framing, request.content_length);
  write_forwarding(writer, request, forwarding);
  if (forwarding.certificate) write_certificate(writer, *forwarding.certificate);
  if (forwarding.is_early) writer.field("Early-Data", "1");
  writer << "\r\n";
  return writer.finish();
}

bool write_response_head(Buffer& output, const Response& response, std::size_t length, const ResponseStyle& style) {
  const ConnectionNames names(response.fields);
  HeadWriter writer;
  const std::size_t bound = length + kMaxFields + style.via.size() + style.request_id.size() + style.hsts.size() + kOwnFields;
  if (names.is_overfull() || !writer.begin(output, bound)) return false;
  // Without a body the length is what a GET would have got, but for statuses that never have one (RFC 9110 §8.6).
  const bool keeps_length = style.framing == Framing::kNone && response.status >= 200 && response.status != 204;
  writer << "HTTP/1.1 " << std::uint64_t{response.status} << " " << response.reason << "\r\n";
  bool has_date = style.date.empty();
  for (const Field& field : response.fields.all()) {
    if (names.is_dropped(field.name)) continue;
    has_date |= equals_ignoring_case(field.name, "date");
    if (!keeps_length && equals_ignoring_case(field.name, "content-length")) continue;
    if (!style.request_id.empty() && equals_ignoring_case(field.name, "x-request-id")) continue;
    if (!style.hsts.empty() && equals_ignoring_case(field.name, "strict-transport-security")) continue;
    writer.field(field.name, field.value);
  }
  if (!has_date) writer.field("Date", style.date);
  write_framing(writer, style.framing, response.content_length);
  if (!style.hsts.empty()) writer.field("Strict-Transport-Security", style.hsts);
  if (!style.request_id.empty()) writer.field("X-Request-ID", style.request_id);
  writer.field("Via", style.via);
  write_persistence(writer, style.persistence);
  writer << "\r\n";
  return writer.finish();
}

bool write_own_answer(Buffer& output, const OwnAnswer& answer, const ResponseStyle& style) {
  HeadWriter writer;
  if (!writer.begin(output, 2 * answer.text.size() + style.via.size() + style.request_id.size() + style.hsts.size() + kOwnFields)) return false;
  writer << "HTTP/1.1 " << std::uint64_t{answer.status} << " " << reason_phrase(answer.status) << "\r\n";
  writer.field("Date", answer.date);
  writer.field("Content-Type", "text/plain; charset=utf-8");
  writer << "Content-Length: " << std::uint64_t{answer.text.size()} << "\r\n";
  if (!style.hsts.empty()) writer.field("Strict-Transport-Security", style.hsts);
  if (!style.request_id.empty()) writer.field("X-Request-ID", style.request_id);
  writer.field("Via", style.via);
  write_persistence(writer, style.persistence);
  writer << "\r\n";
  if (!answer.is_head) writer << answer.text;
  return writer.finish();
}

std::string_view reason_phrase(std::uint16_t status) {
  switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 425: return "Too Early";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    default: return "";
  }
}

std::size_t write_chunk_size(char* out, std::size_t size) {
  char* end = std::to_chars(out, out + 16, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return static_cast<std::size_t>(end - out);
}

}  // namespace gatehouse::l7::http
