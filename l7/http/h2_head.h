// Heads of HTTP/2 messages (RFC 9113 §8.3): from the fields of a header section to the Request or Response that everything
// else works with, and back. nghttp2 has checked what is malformed by the RFC alone; here is checked what could be read in
// two ways once it is HTTP/1.1 again.
#pragma once

#include <nghttp2/nghttp2.h>

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "l7/http/field_block.h"
#include "l7/http/h1_parser.h"
#include "l7/http/h1_writer.h"

namespace gatehouse::l7::http {

// `body`: its length, when all of it is here already. The views are into `block`.
ParseResult read_h2_request(const FieldBlock& block, const HeadLimits& limits, std::optional<std::size_t> body, Request& request);
// `is_head_request`: of the request answered.
ParseResult read_h2_response(const FieldBlock& block, std::optional<std::size_t> body, bool is_head_request, Response& response);
bool is_interim_h2(const FieldBlock& block);  // 1xx

// The request as it goes to a backend, kept for every attempt. False, with nothing in `block`, when it does not fit.
bool write_h2_request_head(FieldBlock& block, const Request& request, const Forwarding& forwarding);

// A header section as nghttp2 takes it: views, into what must live until it has copied them. It puts names in lower case.
class H2Fields {
 public:
  // A response's, and any section's. False when there are too many fields.
  bool assign(const Response& response, const ResponseStyle& style);
  bool assign(const Fields& fields);
  void assign(const FieldBlock& block);

  const nghttp2_nv* data() const { return values_.data(); }
  std::size_t count() const { return count_; }

  // What a head writer writes to (head_fields.h).
  void field(std::string_view name, std::string_view value, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE);

 private:
  static constexpr std::size_t kMost = kMaxFields + 16;
  std::array<nghttp2_nv, kMost> values_;
  std::size_t count_ = 0;
  bool is_overfull_ = false;
  std::array<char, 20> number_;
  std::array<char, 3> status_;
};

}  // namespace gatehouse::l7::http
