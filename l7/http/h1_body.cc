#include "l7/http/h1_body.h"

#include "common/check.h"
#include "l7/http/h1_writer.h"

namespace gatehouse::l7::http {
namespace {

constexpr std::uint64_t kBulk = 128 * 1024;  // a body beyond this gets large buffers
constexpr std::size_t kFraming = kMaxChunkFraming + kLastChunk.size();

}  // namespace

void H1BodyInput::begin(Framing framing, std::uint64_t content_length) {
  reader_ = BodyReader(framing, content_length);
  bytes_ = 0;
  unconsumed_ = 0;
  if (!section_.is_empty()) section_.release();
}

BodyPiece H1BodyInput::read(Wire& wire, std::size_t most, Fields& trailers) {
  Buffer& input = wire.input();
  BodyPiece piece;
  for (;;) {
    if (input.is_empty() && !wire.fill()) {
      if (!wire.is_at_end() && !wire.has_failed()) return piece;
      piece.is_last = !wire.has_failed() && reader_.finish_at_close();
      piece.status = piece.is_last ? BodyPiece::Status::kData : BodyPiece::Status::kCut;
      return piece;
    }
    const BodyReader::Step step = reader_.next(input.view().substr(0, most));
    if (step.is_malformed) return {BodyPiece::Status::kMalformed, false, {}, nullptr, step.reason};
    piece.is_last = reader_.is_done();
    if (!step.trailers.empty() && take_trailers(step.trailers, trailers)) piece.trailers = &trailers;
    if (!step.data.empty() || piece.is_last) {
      piece.status = BodyPiece::Status::kData;
      piece.data = step.data;
      unconsumed_ = step.consumed;
      return piece;
    }
    input.consume(step.consumed);  // framing alone
  }
}

// Whether there are any, and they are whole.
bool H1BodyInput::take_trailers(std::string_view bytes, Fields& trailers) {
  const bool is_whole = reader_.is_done() && section_.is_empty();
  if (!is_whole) GH_CHECK(section_.append(bytes) == bytes.size());  // the reader bounds the section
  if (!reader_.is_done()) return false;
  parse_trailers(is_whole ? bytes : section_.view(), trailers);
  return !trailers.all().empty();
}

void H1BodyInput::consume(Wire& wire) {
  bytes_ += unconsumed_;
  wire.input().consume(unconsumed_);
  unconsumed_ = 0;
  wire.input().prefer_large(bytes_ > kBulk && !reader_.is_done());
}

std::size_t H1BodyOutput::room(Buffer& output) const {
  const std::size_t room = output.room();
  return room > kFraming ? room - kFraming : 0;
}

void H1BodyOutput::write(Buffer& output, std::string_view data, bool is_last) {
  if (framing_ != Framing::kChunked) {
    GH_CHECK(output.append(data) == data.size());
  } else {
    if (!data.empty()) {
      char size[kMaxChunkFraming];
      output.append({size, write_chunk_size(size, data.size())});
      output.append(data);
      GH_CHECK(output.append("\r\n") == 2);
    }
    if (is_last) output.append(kLastChunk);
  }
  bytes_ += data.size();
  output.prefer_large(bytes_ > kBulk && !is_last);
}

// Those that find no room are dropped, as a recipient may do with all of them (RFC 9110 §6.5.2).
void H1BodyOutput::write_trailers(Buffer& output, const Fields& trailers) {
  std::size_t length = 5;
  for (const Field& field : trailers.all()) length += field.name.size() + field.value.size() + 4;
  const bool fits = output.room() >= length || (output.grow() && output.room() >= length);
  if (framing_ != Framing::kChunked || !fits) return write(output, {}, true);
  output.append("0\r\n");
  for (const Field& field : trailers.all()) {
    output.append(field.name);
    output.append(": ");
    output.append(field.value);
    output.append("\r\n");
  }
  output.append("\r\n");
  output.prefer_large(false);
}

}  // namespace gatehouse::l7::http
