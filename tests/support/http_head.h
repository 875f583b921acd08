// The test tools' own reading of HTTP/1.1: the head of a message and a chunked body. It is independent of the
// product's parser on purpose: a tool that shares the parser shares its faults. It is no validator of hostile
// input; it accepts what RFC 9112 writes and calls everything else malformed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gatehouse::test {

enum class HeadState { kNeedMore, kDone, kMalformed };

// Start line and fields of one message. The views point into the caller's bytes and are reused by the next
// parse.
struct HttpHead {
  std::string_view words[3];  // method, target, version; or version, status, reason
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  std::size_t size = 0;  // bytes, blank line included

  // What the fields say about the body and the connection.
  std::uint64_t content_length = 0;
  bool has_content_length = false;
  bool is_chunked = false;
  bool says_close = false;

  HeadState parse(std::string_view bytes);
  std::string_view field(std::string_view name) const;  // the first of that name, or empty
};

bool equal_ignoring_case(std::string_view a, std::string_view b);

// Takes chunked framing off, whatever way the bytes are cut.
class ChunkedReader {
 public:
  // Consumes a prefix of `bytes`. When data came out, `data` views it; call again until nothing is consumed.
  // kDone: the last chunk and its trailer were read.
  HeadState next(std::string_view& bytes, std::string_view& data);
  void reset() { *this = ChunkedReader(); }

 private:
  enum class Part { kSize, kData, kDataEnd, kTrailer };
  HeadState take_line();

  Part part_ = Part::kSize;
  std::uint64_t left_ = 0;
  std::string line_;
};

}  // namespace gatehouse::test
