// Which fields of a received head go on to the other side, and what we say there of our own: the same for every version
// of HTTP. Writer has field(name, value), begin_field(name), `<< text` and end_field().
#pragma once

#include <string_view>

#include "l7/http/h1_writer.h"
#include "l7/http/message.h"

namespace gatehouse::l7::http {

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
inline bool is_about_certificate(std::string_view name) {
  for (const std::string_view known : {"x-client-cert-verified", "x-client-cert-subject", "x-client-cert-names",
                                       "x-client-cert-fingerprint", "client-cert", "client-cert-chain"}) {
    if (equals_ignoring_case(name, known)) return true;
  }
  return false;
}

// Fields whose place in a forwarded request is ours. Lengths first: most names are none of these.
inline bool is_ours(std::string_view name, const Forwarding& forwarding, bool has_body) {
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
    case 15:
      return equals_ignoring_case(name, "x-forwarded-for") ||
             (forwarding.tells_attempts && equals_ignoring_case(name, "x-attempt-count"));
    case 16:
      return !is_trusted && (equals_ignoring_case(name, "x-forwarded-host") || equals_ignoring_case(name, "x-forwarded-port"));
    case 17:
      return (!is_trusted && equals_ignoring_case(name, "x-forwarded-proto")) ||
             ((!is_trusted || forwarding.certificate) && is_about_certificate(name));
    case 18: return !is_trusted && equals_ignoring_case(name, "x-forwarded-prefix");
    default: return false;
  }
}

template <typename Writer>
void write_edits(Writer& writer, const FieldEdits* edits) {
  if (!edits) return;
  for (const Field& field : edits->written) writer.field(field.name, field.value);
}

template <typename Writer>
void write_request_fields(Writer& writer, const Request& request, const Forwarding& forwarding, const ConnectionNames& names) {
  const bool has_body = request.framing != Framing::kNone;
  for (const Field& field : request.fields.all()) {
    if (is_ours(field.name, forwarding, has_body) || names.is_dropped(field.name)) continue;
    if (forwarding.edits && forwarding.edits->drops(field.name)) continue;
    writer.field(field.name, field.value);
  }
  write_edits(writer, forwarding.edits);
}

// Forwarded's "for" must be quoted and bracketed for IPv6 (RFC 7239 §6).
template <typename Writer>
void write_forwarded(Writer& writer, const Request& request, const Forwarding& forwarding) {
  const bool is_v6 = forwarding.client.find(':') != std::string_view::npos;
  writer.begin_field("Forwarded") << "for=" << (is_v6 ? "\"[" : "") << forwarding.client << (is_v6 ? "]\"" : "")
                                  << ";proto=" << forwarding.protocol << ";host=\"" << request.authority << "\"";
  writer.end_field();
}

template <typename Writer>
void write_certificate(Writer& writer, const ClientCertificate& certificate) {
  writer.field("X-Client-Cert-Verified", certificate.verified);
  if (certificate.fingerprint.empty()) return;
  writer.field("X-Client-Cert-Subject", certificate.subject);
  if (!certificate.names.empty()) writer.field("X-Client-Cert-Names", certificate.names);
  writer.field("X-Client-Cert-Fingerprint", certificate.fingerprint);
}

template <typename Writer>
void write_forwarding(Writer& writer, const Request& request, const Forwarding& forwarding) {
  const Fields& fields = request.fields;
  const bool keeps = forwarding.is_trusted;
  writer.begin_field("X-Forwarded-For");
  if (keeps) {
    for (const Field& field : fields.all()) {
      if (equals_ignoring_case(field.name, "x-forwarded-for")) writer << field.value << ", ";
    }
  }
  writer << forwarding.client;
  writer.end_field();
  if (!keeps || !fields.find("x-forwarded-proto")) writer.field("X-Forwarded-Proto", forwarding.protocol);
  if (!keeps || !fields.find("x-forwarded-host")) writer.field("X-Forwarded-Host", request.authority);
  write_forwarded(writer, request, forwarding);
  writer.field("X-Request-ID", forwarding.request_id);
  writer.field("Via", forwarding.via);
  if (forwarding.certificate) write_certificate(writer, *forwarding.certificate);
  if (forwarding.is_early) writer.field("Early-Data", "1");
  if (forwarding.tells_attempts) writer.field("X-Attempt-Count", "1");
}

template <typename Writer>
void write_response_fields(Writer& writer, const Response& response, const ResponseStyle& style, const ConnectionNames& names) {
  // Without a body the length is what a GET would have got, but for statuses that never have one (RFC 9110 §8.6).
  const bool keeps_length = style.framing == Framing::kNone && response.status >= 200 && response.status != 204;
  bool has_date = style.date.empty();
  for (const Field& field : response.fields.all()) {
    if (names.is_dropped(field.name)) continue;
    if (style.edits && style.edits->drops(field.name)) continue;
    has_date |= equals_ignoring_case(field.name, "date");
    if (!keeps_length && equals_ignoring_case(field.name, "content-length")) continue;
    if (!style.request_id.empty() && equals_ignoring_case(field.name, "x-request-id")) continue;
    if (!style.hsts.empty() && equals_ignoring_case(field.name, "strict-transport-security")) continue;
    writer.field(field.name, field.value);
  }
  if (!has_date) writer.field("Date", style.date);
  write_edits(writer, style.edits);
  if (!style.hsts.empty()) writer.field("Strict-Transport-Security", style.hsts);
}

}  // namespace gatehouse::l7::http
