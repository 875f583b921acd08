// What nghttp2 calls while it works through bytes or makes frames; each note goes to the H2Session or the H2Stream that it
// is about.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>

namespace gatehouse::l7 {

const nghttp2_session_callbacks* h2_callbacks();

// The source of a body that goes out; the stream is the one that nghttp2 knows by its id.
ssize_t h2_read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer, std::size_t most, std::uint32_t* flags,
                     nghttp2_data_source* source, void* owner);

}  // namespace gatehouse::l7
