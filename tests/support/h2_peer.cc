#include "tests/support/h2_peer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace gatehouse::test {
namespace {

std::string find(const H2FieldList& fields, std::string_view name) {
  for (const auto& [known, value] : fields) {
    if (known == name) return value;
  }
  return {};
}

std::vector<nghttp2_nv> name_values(const H2FieldList& fields) {
  std::vector<nghttp2_nv> list;
  const auto bytes = [](const std::string& text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); };
  for (const auto& [name, value] : fields) {
    // nghttp2 puts names that it copies in lower case.
    const bool has_upper = std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    const std::uint8_t flags = has_upper ? NGHTTP2_NV_FLAG_NO_COPY_NAME : NGHTTP2_NV_FLAG_NONE;
    list.push_back({bytes(name), bytes(value), name.size(), value.size(), flags});
  }
  return list;
}

}  // namespace

std::string H2Message::field(std::string_view name) const { return find(fields, name); }
std::string H2Message::trailer(std::string_view name) const { return find(trailers, name); }
int H2Message::status() const { return std::atoi(field(":status").c_str()); }
std::size_t H2Message::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(), [name](const auto& each) { return each.first == name; }));
}

struct H2PeerCallbacks {
  static H2Peer& of(void* owner) { return *static_cast<H2Peer*>(owner); }
  static void touch(H2Peer& peer, std::int32_t id) { peer.touched_.push_back(id); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* owner) {
    H2Message& message = of(owner).messages_[frame->hd.stream_id];
    if (!message.has_head) message.fields.clear();
    return 0;
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                       std::size_t value_size, std::uint8_t, void* owner) {
    H2Message& message = of(owner).messages_[frame->hd.stream_id];
    H2FieldList& list = message.has_head ? message.trailers : message.fields;
    list.emplace_back(std::string(reinterpret_cast<const char*>(name), name_size), std::string(reinterpret_cast<const char*>(value), value_size));
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* owner) {
    H2Peer& peer = of(owner);
    if (frame->hd.type == NGHTTP2_GOAWAY) peer.goodbyes_.emplace_back(frame->goaway.last_stream_id, frame->goaway.error_code);
    if (frame->hd.stream_id == 0 || !peer.messages_.contains(frame->hd.stream_id)) return 0;
    H2Message& message = peer.messages_[frame->hd.stream_id];
    if (frame->hd.type == NGHTTP2_HEADERS && !message.has_head) {
      const int status = message.status();
      message.has_head = status == 0 || status >= 200;
      if (!message.has_head) message.interim.push_back(std::exchange(message.fields, {}));
    }
    if (frame->hd.type == NGHTTP2_DATA) {
      ++message.frames;
      peer.order_.push_back(frame->hd.stream_id);
    }
    if (frame->hd.type <= NGHTTP2_HEADERS && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) message.is_ended = true;
    touch(peer, frame->hd.stream_id);
    return 0;
  }
  static int on_data(nghttp2_session* session, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* owner) {
    H2Peer& peer = of(owner);
    peer.messages_[id].body.append(reinterpret_cast<const char*>(data), size);
    if (peer.options_.opens_windows) nghttp2_session_consume(session, id, size);
    touch(peer, id);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t error, void* owner) {
    H2Peer& peer = of(owner);
    peer.messages_[id].is_closed = true;
    peer.messages_[id].error = error;
    touch(peer, id);
    return 0;
  }
  static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer, std::size_t most, std::uint32_t* flags,
                      nghttp2_data_source*, void* owner) {
    H2Peer::Outgoing& out = of(owner).outgoing_[id];
    const std::size_t size = std::min(most, out.data.size());
    if (size == 0 && !out.is_last) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(buffer, out.data.data(), size);
    out.data.erase(0, size);
    if (!out.data.empty() || !out.is_last) return static_cast<ssize_t>(size);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!out.trailers.empty()) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      const std::vector<nghttp2_nv> list = name_values(out.trailers);
      nghttp2_submit_trailer(session, id, list.data(), list.size());
    }
    return static_cast<ssize_t>(size);
  }
  static nghttp2_session_callbacks* make() {
    nghttp2_session_callbacks* made = nullptr;
    GH_CHECK(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(made, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, on_close);
    return made;
  }
};

H2Peer::H2Peer(std::unique_ptr<RawSocket> socket, Options options, OnMessage on_message)
    : socket_(std::move(socket)), options_(std::move(options)), on_message_(std::move(on_message)) {
  nghttp2_session_callbacks* callbacks = H2PeerCallbacks::make();
  nghttp2_option* option = nullptr;
  GH_CHECK(nghttp2_option_new(&option) == 0);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_no_http_messaging(option, 1);  // what is malformed is for the product to say
  const auto make = options_.is_server ? nghttp2_session_server_new2 : nghttp2_session_client_new2;
  GH_CHECK(make(&session_, callbacks, this, option) == 0);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, options_.settings.data(), options_.settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(options_.connection_window));
  socket_->set_on_bytes([this](RawSocket&) { receive(); });
  flush();
}

H2Peer::~H2Peer() { nghttp2_session_del(session_); }

void H2Peer::receive() {
  std::string& bytes = socket_->received();
  is_receiving_ = true;
  const ssize_t taken = nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  is_receiving_ = false;
  EXPECT_GE(taken, 0) << nghttp2_strerror(static_cast<int>(taken));
  bytes.clear();
  for (const std::int32_t id : std::exchange(touched_, {})) {
    if (on_message_) on_message_(*this, id);
  }
  flush();
}

void H2Peer::flush() {
  if (is_receiving_) return;
  const std::uint8_t* data = nullptr;
  for (ssize_t count; (count = nghttp2_session_mem_send(session_, &data)) > 0;) {
    socket_->send({reinterpret_cast<const char*>(data), static_cast<std::size_t>(count)});
  }
}

std::int32_t H2Peer::request(const H2FieldList& fields, std::optional<std::string> body) {
  const std::vector<nghttp2_nv> list = name_values(fields);
  const nghttp2_data_provider source{{}, H2PeerCallbacks::read};
  const bool is_empty = body && body->empty();
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, list.data(), list.size(), is_empty ? nullptr : &source, nullptr);
  messages_[id];
  if (body) outgoing_[id] = {*body, true, {}};
  flush();
  return id;
}

std::int32_t H2Peer::get(const std::string& path, const H2FieldList& more) {
  H2FieldList fields = {{":method", "GET"}, {":scheme", "http"}, {":path", path}, {":authority", "a.example"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return request(fields);
}

std::int32_t H2Peer::post(const std::string& path, const std::string& body, const H2FieldList& more) {
  H2FieldList fields = {{":method", "POST"}, {":scheme", "http"}, {":path", path}, {":authority", "a.example"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return request(fields, body);
}

void H2Peer::respond(std::int32_t id, const H2FieldList& fields, std::optional<std::string> body, const H2FieldList& trailers) {
  const std::vector<nghttp2_nv> list = name_values(fields);
  if (find(fields, ":status").starts_with("1")) {
    nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, id, nullptr, list.data(), list.size(), nullptr);
    return flush();
  }
  const nghttp2_data_provider source{{}, H2PeerCallbacks::read};
  const bool is_empty = body && body->empty() && trailers.empty();
  if (body) outgoing_[id] = {*body, true, trailers};
  nghttp2_submit_response(session_, id, list.data(), list.size(), is_empty ? nullptr : &source);
  flush();
}

void H2Peer::send(std::int32_t id, std::string_view data, bool is_last, const H2FieldList& trailers) {
  Outgoing& out = outgoing_[id];
  out.data += data;
  out.is_last = is_last;
  out.trailers = trailers;
  nghttp2_session_resume_data(session_, id);
  flush();
}

void H2Peer::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  flush();
}

void H2Peer::go_away(std::int32_t last_id, std::uint32_t code) {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_id, code, nullptr, 0);
  flush();
}

void H2Peer::open_window(std::int32_t id, std::size_t bytes) {
  nghttp2_session_consume(session_, id, bytes);
  flush();
}

void H2Peer::prioritize(std::int32_t id, const std::string& value) {
  nghttp2_submit_priority_update(session_, NGHTTP2_FLAG_NONE, id, reinterpret_cast<const std::uint8_t*>(value.data()), value.size());
  flush();
}

H2Server::H2Server(EventLoop& loop, H2Peer::OnMessage on_message, H2Peer::Options options)
    : loop_(loop), on_message_(std::move(on_message)), options_(std::move(options)) {
  options_.is_server = true;
  socket_ = listen_on_loopback(address_);
  watch_.start<&H2Server::on_ready>(loop, socket_.get(), EPOLLIN, this);
}

void H2Server::on_ready(std::uint32_t) {
  while (true) {
    Fd accepted(accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted.is_open()) return;
    connections.push_back(std::make_unique<H2Peer>(std::make_unique<RawSocket>(loop_, std::move(accepted)), options_, on_message_));
  }
}

}  // namespace gatehouse::test
