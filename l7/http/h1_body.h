// The body of an HTTP/1.1 message on a Wire, the same on both sides of an exchange: taken out of the input's framing, put
// into the output's. One of each per message; begin() before use.
#pragma once

#include <cstdint>
#include <string_view>

#include "l7/http/h1_parser.h"
#include "l7/wire.h"

namespace gatehouse::l7::http {

class H1BodyInput {
 public:
  explicit H1BodyInput(BufferPool& buffers) : section_(buffers) {}
  void begin(Framing framing, std::uint64_t content_length);
  bool is_done() const { return reader_.is_done(); }

  // A piece of at most `most` bytes, in the wire's input; reads into that when it is empty. Trailers are left in `trailers`,
  // their bytes here or in the input.
  BodyPiece read(Wire& wire, std::size_t most, Fields& trailers);
  void consume(Wire& wire);

 private:
  bool take_trailers(std::string_view bytes, Fields& trailers);

  BodyReader reader_;
  std::uint64_t bytes_ = 0;
  std::size_t unconsumed_ = 0;  // of the piece
  Buffer section_;              // trailers that came in pieces
};

class H1BodyOutput {
 public:
  void begin(Framing framing) {
    framing_ = framing;
    bytes_ = 0;
  }
  std::size_t room(Buffer& output) const;
  void write(Buffer& output, std::string_view data, bool is_last);
  void write_trailers(Buffer& output, const Fields& trailers);

 private:
  Framing framing_ = Framing::kNone;
  std::uint64_t bytes_ = 0;
};

}  // namespace gatehouse::l7::http
