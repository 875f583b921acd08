#include "l7/access_log.h"

#include <unistd.h>

#include <charconv>

#include "common/log.h"

namespace gatehouse::l7 {
namespace {

void add_text(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":\"";
  append_json_text(out, value);
  out += '"';
}

void add_number(std::string& out, std::string_view key, std::uint64_t value) {
  char digits[20];
  out += ",\"";
  out += key;
  out += "\":";
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// Length of the UTF-8 sequence at the start of `text`; 0 when it is none (RFC 3629 §4).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if (length < 3) return length;
  const unsigned char second = byte(1);
  const bool is_overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool is_out_of_range = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return is_overlong || is_out_of_range ? 0 : length;
}

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
      text.remove_prefix(1);
    } else if (c < 0x20) {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
      text.remove_prefix(1);
    } else if (const std::size_t length = sequence_length(text)) {
      out += text.substr(0, length);
      text.remove_prefix(length);
    } else {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
    }
  }
}

AccessLog::AccessLog(EventLoop& loop, RequestIds& random) : loop_(loop), random_(random) {}

void AccessLog::set_sample(double share) {
  sample_ = share;
  draw_below_ = static_cast<std::uint64_t>(share * static_cast<double>(1ull << 32));
}

void AccessLog::add(const AccessRecord& record) {
  if (!is_on()) return;
  const bool is_error = record.status == 0 || record.status >= 500 || !record.error.empty();
  const bool is_sampled = sample_ < 1 && !is_error;
  if (is_sampled && !is_drawn()) return;
  begin_line(record.time);
  add_text(lines_, "request_id", record.request_id);
  add_text(lines_, "client", record.client);
  add_text(lines_, "method", record.method);
  add_text(lines_, "host", record.host);
  add_text(lines_, "path", record.path);
  add_number(lines_, "status", record.status);
  add_text(lines_, "route", record.route);
  add_text(lines_, "pool", record.pool);
  add_text(lines_, "backend", record.backend);
  add_number(lines_, "attempts", record.attempts);
  if (record.is_hedged) lines_ += ",\"hedged\":true";
  add_text(lines_, "node", record.node);
  add_number(lines_, "worker", record.worker);
  add_number(lines_, "duration_us", record.duration_us);
  add_number(lines_, "bytes", record.bytes);
  if (record.queued_ms > 0) add_number(lines_, "queued_ms", record.queued_ms);
  if (!record.reason.empty()) add_text(lines_, "reason", record.reason);
  if (!record.error.empty()) add_text(lines_, "error", record.error);
  end_line(is_sampled);
}

void AccessLog::add_relay(const RelayRecord& record) {
  if (!is_on()) return;
  const bool is_sampled = sample_ < 1 && record.reason.empty();
  if (is_sampled && !is_drawn()) return;
  begin_line(record.time);
  add_text(lines_, "client", record.client);
  add_text(lines_, "listener", record.listener);
  if (!record.server_name.empty()) add_text(lines_, "server_name", record.server_name);
  if (!record.alpn.empty()) add_text(lines_, "alpn", record.alpn);
  add_text(lines_, "pool", record.pool);
  add_text(lines_, "backend", record.backend);
  add_text(lines_, "node", record.node);
  add_number(lines_, "worker", record.worker);
  add_number(lines_, "duration_us", record.duration_us);
  add_number(lines_, "bytes_in", record.bytes_in);
  add_number(lines_, "bytes_out", record.bytes_out);
  if (!record.reason.empty()) add_text(lines_, "reason", record.reason);
  end_line(is_sampled);
}

void AccessLog::begin_line(std::string_view time) {
  if (lines_.empty()) flush_.arm<&AccessLog::flush>(loop_, this);
  lines_ += "{\"time\":\"";
  lines_ += time;
  lines_ += '"';
}

// Where nothing is left out all lines weigh 1, and do not say so.
void AccessLog::end_line(bool is_sampled) {
  if (sample_ < 1) {
    char digits[32];
    lines_ += ",\"weight\":";
    lines_.append(digits, std::to_chars(digits, digits + sizeof digits, is_sampled ? 1 / sample_ : 1).ptr);
  }
  lines_ += "}\n";
}

void AccessLog::flush() {
  if (lines_.empty()) return;
  const ssize_t written = file_.is_open() ? write(file_.get(), lines_.data(), lines_.size()) : 0;
  // A full disk must not stop requests; it is said once.
  if (written != static_cast<ssize_t>(lines_.size()) && lost_++ == 0) log_warn("access log: cannot write all lines");
  lines_.clear();
}

}  // namespace gatehouse::l7
