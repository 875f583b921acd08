#include "l7/http/h2_callbacks.h"

#include <algorithm>

#include "common/check.h"
#include "l7/http/h2_session.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kFrameHeader = 9;
constexpr std::size_t kRefill = 4096;
constexpr std::size_t kBlockedFrame = 4096;  // the size of one that waits for the socket

std::string_view text_of(nghttp2_rcbuf* bytes) {
  const nghttp2_vec view = nghttp2_rcbuf_get_buf(bytes);
  return {reinterpret_cast<const char*>(view.base), view.len};
}

}  // namespace

// A struct, so that it can be a friend.
struct H2Callbacks {
  static H2Session& owner_of(void* owner) { return *static_cast<H2Session*>(owner); }
  static H2Stream* stream_of(nghttp2_session* session, std::int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }

  static int on_begin_frame(nghttp2_session*, const nghttp2_frame_hd* head, void* owner) {
    owner_of(owner).on_frame_begun(head->type);
    return 0;
  }
  static int on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* owner);
  static int on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t, void* owner);
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, std::uint8_t, void*);
  static int on_frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* owner);
  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* owner);
  static int on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error, void* owner);
  static int on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* owner);
  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::size_t most, std::uint32_t* flags, void* owner);
  static int send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* header, std::size_t size, nghttp2_data_source*,
                       void* owner);

 private:
  static void finish_head(H2Session& owner, H2Stream& stream, const nghttp2_frame& frame);
  static void add_field(H2Session& owner, std::string_view name, std::string_view value);
};

int H2Callbacks::on_begin_headers(nghttp2_session* session, const nghttp2_frame* frame, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  const std::int32_t id = frame->hd.stream_id;
  H2Stream* stream = stream_of(session, id);
  if (!stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    stream = owner.begin_stream(id);
    if (stream) nghttp2_session_set_stream_user_data(session, id, stream);
  }
  owner.head_stream_ = stream;
  owner.head_bytes_ = 0;
  return 0;
}

int H2Callbacks::on_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name, nghttp2_rcbuf* value, std::uint8_t, void* owner) {
  add_field(owner_of(owner), text_of(name), text_of(value));
  return 0;
}

// Of a section that is too large no more is kept; a few bytes can stand for many (HPACK), so a limit on memory ends at once
// and one on patience, far above, ends the connection.
void H2Callbacks::add_field(H2Session& owner, std::string_view name, std::string_view value) {
  if (!owner.head_stream_) return;
  H2Stream& stream = *owner.head_stream_;
  owner.head_bytes_ += name.size() + value.size() + 4;  // ": " and the end of the line that it would have been
  if (owner.head_bytes_ > owner.limits_.max_header) return owner.on_large_head(owner.head_bytes_);
  if (stream.is_head_done_) {
    stream.trailers_.add(name, value);
  } else if (name == "cookie") {
    if (!owner.crumbs_.is_empty()) owner.crumbs_.append("; ");
    if (owner.crumbs_.room() < value.size() + 2) owner.crumbs_.grow();
    owner.crumbs_.append(value);
  } else {
    stream.head_.add(name, value);
  }
}

// nghttp2 would ignore it, and what is ignored here may be seen behind us.
int H2Callbacks::on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*, nghttp2_rcbuf*, std::uint8_t, void*) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

void H2Callbacks::finish_head(H2Session& owner, H2Stream& stream, const nghttp2_frame& frame) {
  if (owner.head_stream_ != &stream) return;
  owner.head_stream_ = nullptr;
  const bool is_too_large = owner.head_bytes_ > owner.limits_.max_header;
  if (stream.is_head_done_) {  // these were trailers
    if (is_too_large) stream.trailers_.release();
    return;
  }
  if (!owner.crumbs_.is_empty()) stream.head_.add("cookie", owner.crumbs_.view());
  owner.crumbs_.release();
  stream.is_input_ended_ = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  stream.is_head_done_ = owner.on_head_done(stream, is_too_large);
}

int H2Callbacks::on_frame_received(nghttp2_session* session, const nghttp2_frame* frame, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  H2Stream* stream = frame->hd.stream_id ? stream_of(session, frame->hd.stream_id) : nullptr;
  if (stream && frame->hd.type == NGHTTP2_HEADERS) finish_head(owner, *stream, *frame);
  const bool has_body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
  if (stream && has_body && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
    stream->is_input_ended_ = true;
    owner.make_ready(*stream);
  }
  owner.on_frame(*frame);
  return 0;
}

int H2Callbacks::on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  H2Stream* stream = stream_of(session, id);
  if (!stream || stream->is_input_unwanted_) {
    nghttp2_session_consume(session, id, size);
    return 0;
  }
  stream->receive({reinterpret_cast<const char*>(data), size});
  owner.make_ready(*stream);
  return 0;
}

int H2Callbacks::on_stream_close(nghttp2_session* session, std::int32_t id, std::uint32_t error, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  H2Stream* stream = stream_of(session, id);
  if (!stream) return 0;
  if (owner.head_stream_ == stream) owner.head_stream_ = nullptr;
  stream->is_closed_ = true;
  stream->error_ = error;
  owner.make_ready(*stream);
  return 0;
}

int H2Callbacks::on_frame_sent(nghttp2_session* session, const nghttp2_frame* frame, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  owner.on_frame_sent(*frame);
  const bool has_body = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
  if (!has_body || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  if (H2Stream* stream = stream_of(session, frame->hd.stream_id)) {
    stream->is_end_sent_ = true;
    owner.on_end_sent(*stream);
  }
  return 0;
}

ssize_t H2Callbacks::read_body(nghttp2_session* session, std::int32_t id, std::size_t most, std::uint32_t* flags, void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  H2Stream* stream = stream_of(session, id);
  if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;  // nobody is there to say the rest: RST_STREAM
  // While it has the turn it is asked for more, so that less urgent ones do not slip in between.
  if (stream->is_starved_ && !stream->is_writing_ && stream->output().size() < kRefill) {
    stream->is_starved_ = false;
    owner.on_stream_ready(*stream);
  }
  const std::size_t available = stream->output().size();
  if (available == 0 && !stream->is_output_ended_) {
    stream->is_deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  const std::size_t room = owner.make_room() ? owner.wire_.output().room() - kFrameHeader : kBlockedFrame;
  const std::size_t size = std::min({most, available, room});
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  const bool is_last = stream->is_output_ended_ && size == available && (stream->unsent_.is_empty() || stream->direct_.empty());
  if (!is_last) return static_cast<ssize_t>(size);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (!stream->trailers_out_.is_empty()) {
    http::H2Fields trailers;
    trailers.assign(stream->trailers_out_);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(session, id, trailers.data(), trailers.count());
  }
  return static_cast<ssize_t>(size);
}

// Once a length has been said the frame is that long: without room nghttp2 asks again, and nothing goes before it.
int H2Callbacks::send_data(nghttp2_session* session, nghttp2_frame* frame, const std::uint8_t* header, std::size_t size, nghttp2_data_source*,
                           void* owner_pointer) {
  H2Session& owner = owner_of(owner_pointer);
  H2Stream* stream = stream_of(session, frame->hd.stream_id);
  if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  Buffer& output = owner.wire_.output();
  if (output.room() < kFrameHeader + size) {
    owner.wire_.flush();
    if (output.room() < kFrameHeader + size) return NGHTTP2_ERR_WOULDBLOCK;
  }
  output.append({reinterpret_cast<const char*>(header), kFrameHeader});
  if (size == 0) return 0;
  GH_CHECK(output.append(stream->output().substr(0, size)) == size);
  stream->output_taken(size);
  return 0;
}

ssize_t h2_read_body(nghttp2_session* session, std::int32_t id, std::uint8_t*, std::size_t most, std::uint32_t* flags, nghttp2_data_source*,
                     void* owner) {
  return H2Callbacks::read_body(session, id, most, flags, owner);
}

const nghttp2_session_callbacks* h2_callbacks() {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    GH_CHECK(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(made, H2Callbacks::on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, H2Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(made, H2Callbacks::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(made, H2Callbacks::on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, H2Callbacks::on_frame_received);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, H2Callbacks::on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, H2Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, H2Callbacks::on_frame_sent);
    nghttp2_session_callbacks_set_send_data_callback(made, H2Callbacks::send_data);
    return made;
  }();
  return callbacks;
}

}  // namespace gatehouse::l7
