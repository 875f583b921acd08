// HTTP/1.1 message heads and bodies (RFC 9112): pure functions over bytes, no allocation, no I/O, no state but the
// few words of BodyReader. Strict on both sides: what two parsers could read in two ways is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "l7/http/message.h"

namespace gatehouse::l7::http {

enum class ParseStatus : std::uint8_t { kDone, kNeedMore, kMalformed, kUriTooLong, kFieldsTooLarge, kNotImplemented,
                                        kVersionNotSupported };

struct HeadLimits {
  std::size_t max_bytes = 16 * 1024;   // start line and fields together
  std::size_t max_uri_bytes = 8 * 1024;
  std::size_t max_fields = 100;
};

struct ParseResult {
  ParseStatus status = ParseStatus::kNeedMore;
  std::size_t length = 0;        // bytes of the head, when kDone
  const char* reason = "";       // static text, when refused: for the answer's body and the log
};

// The status code that answers a refused request (400, 414, 431, 501, 505).
std::uint16_t response_status(ParseStatus status);

// Parses a request head at the start of `bytes`. `scanned` is the caller's memory between calls for one message
// (start it at 0): bytes before it are not searched again for the end of the head.
ParseResult parse_request(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned, Request& request);
// `method` is that of the request answered: HEAD and CONNECT change the framing (RFC 9112 §6.3).
ParseResult parse_response(std::string_view bytes, const HeadLimits& limits, std::size_t& scanned,
                           std::string_view method, Response& response);

// The fields of a trailer section that BodyReader has passed. Those that RFC 9110 §6.5.1 forbids there (framing, routing,
// connection) are left out, and what exceeds kMaxFields.
void parse_trailers(std::string_view section, Fields& fields);

// Walks through a body in whatever pieces it arrives. One per message.
class BodyReader {
 public:
  BodyReader() = default;
  BodyReader(Framing framing, std::uint64_t content_length);

  struct Step {
    std::size_t consumed = 0;       // bytes of the input that are done with
    std::string_view data;          // body octets among them (chunk framing removed), in place
    std::string_view trailers;      // bytes of the trailer section among them
    bool is_malformed = false;
    const char* reason = "";
  };
  // Consumes a prefix of `bytes`: one run of body octets at most, with the framing around it. Call again with the rest
  // until nothing is consumed. Trailer fields of a chunked body are checked here; parse_trailers() reads them.
  Step next(std::string_view bytes);
  bool is_done() const;             // the whole body has been seen; never for kUntilClose before finish_at_close()
  // The peer closed: true when that ends the body properly.
  bool finish_at_close();

 private:
  enum class State : std::uint8_t {
    kDone, kLength, kUntilClose,
    kChunkSize, kChunkSizeSpace, kChunkExtension, kChunkSizeEnd, kChunkData, kChunkDataEnd, kChunkDataLineFeed,
    kTrailerStart, kTrailerName, kTrailerLine, kTrailerLineEnd, kTrailerEnd
  };
  bool has_data_next() const;
  std::string_view take_data(std::string_view bytes);
  const char* step_framing(char c);
  const char* step_trailer(char c);
  const char* enter(State state);

  State state_ = State::kDone;
  std::uint64_t remaining_ = 0;
  std::uint32_t line_bytes_ = 0;    // of the chunk-size line or trailer section: bounded
  std::uint8_t size_digits_ = 0;
};

}  // namespace gatehouse::l7::http
