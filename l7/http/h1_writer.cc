#include "l7/http/h1_writer.h"

#include <algorithm>
#include <charconv>

#include "common/check.h"
#include "l7/http/head_fields.h"

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
  HeadWriter& begin_field(std::string_view name) { return *this << name << ": "; }
  void end_field() { *this << "\r\n"; }
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

std::size_t size_of(const ClientCertificate* certificate) {
  if (!certificate) return 0;
  return certificate->verified.size() + certificate->subject.size() + certificate->names.size() + certificate->fingerprint.size();
}

void write_framing(HeadWriter& writer, Framing framing, std::uint64_t length) {
  if (framing == Framing::kChunked) writer.field("Transfer-Encoding", "chunked");
  if (framing == Framing::kLength) writer << "Content-Length: " << length << "\r\n";
}

void write_target(HeadWriter& writer, const Request& request) {
  if (request.path.empty()) {
    writer << "/";  // absolute-form without a path
  } else {
    writer << request.path;
  }
  if (request.query.data()) writer << "?" << request.query;
}

void write_upgrade(HeadWriter& writer) {
  writer.field("Connection", "Upgrade");
  writer.field("Upgrade", "websocket");
}

void write_persistence(HeadWriter& writer, Persistence persistence) {
  if (persistence == Persistence::kClose) writer.field("Connection", "close");
  if (persistence == Persistence::kKeepAlive) writer.field("Connection", "keep-alive");
  if (persistence == Persistence::kUpgrade) write_upgrade(writer);
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
  write_request_fields(writer, request, forwarding, names);
  write_framing(writer, request.framing, request.content_length);
  if (!request.upgrade.empty()) write_upgrade(writer);
  if (!forwarding.websocket_key.empty()) writer.field("Sec-WebSocket-Key", forwarding.websocket_key);
  write_forwarding(writer, request, forwarding);
  writer << "\r\n";
  return writer.finish();
}

bool write_response_head(Buffer& output, const Response& response, std::size_t length, const ResponseStyle& style) {
  const ConnectionNames names(response.fields);
  HeadWriter writer;
  const std::size_t bound = length + kMaxFields + style.via.size() + style.request_id.size() + style.hsts.size() + kOwnFields;
  if (names.is_overfull() || !writer.begin(output, bound)) return false;
  writer << "HTTP/1.1 " << std::uint64_t{response.status} << " " << response.reason << "\r\n";
  write_response_fields(writer, response, style, names);
  write_framing(writer, style.framing, response.content_length);
  if (!style.request_id.empty()) writer.field("X-Request-ID", style.request_id);
  writer.field("Via", style.via);
  write_persistence(writer, style.persistence);
  writer << "\r\n";
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
