// The head of a request as it goes to a backend, kept for another attempt: as text for HTTP/1.1, as fields for HTTP/2.
#pragma once

#include "l7/buffer.h"
#include "l7/http/field_block.h"

namespace gatehouse::l7::http {

struct RequestHead {
  explicit RequestHead(BufferPool& buffers) : text(buffers), fields(buffers) {}
  void release() {
    text.release();
    fields.release();
  }

  Buffer text;
  FieldBlock fields;
};

}  // namespace gatehouse::l7::http
