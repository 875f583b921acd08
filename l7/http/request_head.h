// The head of a request as it goes to a backend, kept for another attempt: as text for HTTP/1.1, as fields for HTTP/2.
#pragma once

#include "common/check.h"
#include "l7/buffer.h"
#include "l7/http/field_block.h"

namespace gatehouse::l7::http {

struct RequestHead {
  explicit RequestHead(BufferPool& buffers) : text(buffers), fields(buffers) {}
  // Of a further try, up to 9: the head ends with X-Attempt-Count.
  void set_attempt(std::uint32_t nth) {
    char* const digit = text.is_empty() ? fields.last_byte() : text.tail() - 5;  // before CRLF CRLF
    GH_CHECK(*digit >= '1' && *digit <= '9' && nth <= 9);
    *digit = static_cast<char>('0' + nth);
  }
  void release() {
    text.release();
    fields.release();
  }

  Buffer text;
  FieldBlock fields;
};

}  // namespace gatehouse::l7::http
