#include "perf/http/h2_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "tests/support/byte_pattern.h"

namespace gatehouse::perf {
namespace {

using Kind = test::LoadReport::Kind;
using Clock = EventLoop::Clock;
constexpr std::uint32_t kWindow = 16 << 20;  // never what limits an answer
constexpr std::size_t kWriteBytes = 16 * 1024;

nghttp2_nv field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(),
          NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

}  // namespace

class H2Client::Connection {
 public:
  explicit Connection(H2Client& client) : client_(client), streams_(client.options_.streams) {}
  ~Connection() {
    watch_.stop();
    nghttp2_session_del(session_);
  }
  bool open();

 private:
  struct Stream {
    bool is_ok = false;
    std::uint64_t received = 0;
    Clock::time_point since{};
  };
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  void on_ready(std::uint32_t events);
  bool shake_hands();
  void begin();
  void request(Stream& stream);
  void receive();
  void flush();
  void fail(Kind kind, std::string detail);
  static nghttp2_session_callbacks* callbacks();
  static Stream* find(nghttp2_session* session, std::int32_t id) {
    return static_cast<Stream*>(nghttp2_session_get_stream_user_data(session, id));
  }
  static int on_header(nghttp2_session* session, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t flags, void* self);
  static int on_data(nghttp2_session* session, std::uint8_t flags, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* self);
  static int on_close(nghttp2_session* session, std::int32_t id, std::uint32_t code, void* self);

  H2Client& client_;
  Fd socket_;
  Watch watch_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
  nghttp2_session* session_ = nullptr;
  std::vector<Stream> streams_;
  std::string out_;
  bool is_broken_ = false;
};

bool H2Client::Connection::open() {
  sockaddr_storage storage;
  const socklen_t size = to_sockaddr(client_.options_.target, storage);
  socket_ = Fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(socket_.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS)
    return false;
  ssl_.reset(SSL_new(client_.tls_.get()));
  SSL_set_fd(ssl_.get(), socket_.get());
  SSL_set_tlsext_host_name(ssl_.get(), client_.options_.name.c_str());
  SSL_set1_host(ssl_.get(), client_.options_.name.c_str());
  SSL_set_connect_state(ssl_.get());
  watch_.start<&Connection::on_ready>(client_.loop_, socket_.get(), EventLoop::kEdge, this);
  return true;
}

void H2Client::Connection::on_ready(std::uint32_t) {
  if (is_broken_ || (!session_ && !shake_hands())) return;
  receive();
  flush();
}

bool H2Client::Connection::shake_hands() {
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    const int error = SSL_get_error(ssl_.get(), result);
    const bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!waits) fail(Kind::kTls, "in the handshake");
    return false;
  }
  begin();
  return true;
}

void H2Client::Connection::begin() {
  ++client_.report_.connections_opened;
  nghttp2_session_callbacks* calls = callbacks();
  GH_CHECK(nghttp2_session_client_new(&session_, calls, this) == 0);
  nghttp2_session_callbacks_del(calls);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kWindow);
  for (Stream& stream : streams_) request(stream);
}

void H2Client::Connection::request(Stream& stream) {
  stream = {false, 0, Clock::now()};
  nghttp2_nv fields[24];
  std::size_t count = 0;
  for (const auto& [name, value] : client_.fields_) fields[count++] = field(name, value);
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, fields, count, nullptr, &stream);
  if (id < 0) fail(Kind::kMismatch, nghttp2_strerror(id));
}

void H2Client::Connection::receive() {
  static std::uint8_t scratch[64 * 1024];
  while (!is_broken_) {
    const int count = SSL_read(ssl_.get(), scratch, sizeof scratch);
    if (count <= 0) {
      const int error = SSL_get_error(ssl_.get(), count);
      ERR_clear_error();
      if (error != SSL_ERROR_WANT_READ) fail(Kind::kReset, "the connection ended");
      return;
    }
    const ssize_t taken = nghttp2_session_mem_recv(session_, scratch, static_cast<std::size_t>(count));
    if (taken < 0) return fail(Kind::kMismatch, nghttp2_strerror(static_cast<int>(taken)));
  }
}

// As many frames per record as fit.
void H2Client::Connection::flush() {
  while (!is_broken_) {
    while (out_.size() < kWriteBytes) {
      const std::uint8_t* data = nullptr;
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) return fail(Kind::kMismatch, nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (out_.empty()) return;
    const int sent = SSL_write(ssl_.get(), out_.data(), static_cast<int>(out_.size()));
    if (sent <= 0) {
      ERR_clear_error();
      return;  // the next edge brings us back; an end is noticed by reading
    }
    out_.erase(0, static_cast<std::size_t>(sent));
  }
}

void H2Client::Connection::fail(Kind kind, std::string detail) {
  is_broken_ = true;
  client_.report_.record_failure(kind, 0, std::move(detail), {});
}

nghttp2_session_callbacks* H2Client::Connection::callbacks() {
  nghttp2_session_callbacks* calls = nullptr;
  GH_CHECK(nghttp2_session_callbacks_new(&calls) == 0);
  nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
  return calls;
}

int H2Client::Connection::on_header(nghttp2_session* session, const nghttp2_frame* frame,
                                    const std::uint8_t* name, std::size_t name_size,
                                    const std::uint8_t* value, std::size_t value_size, std::uint8_t, void*) {
  const std::string_view key(reinterpret_cast<const char*>(name), name_size);
  const std::string_view text(reinterpret_cast<const char*>(value), value_size);
  Stream* stream = find(session, frame->hd.stream_id);
  if (stream && key == ":status") stream->is_ok = text == "200";
  return 0;
}

int H2Client::Connection::on_data(nghttp2_session* session, std::uint8_t, std::int32_t id,
                                  const std::uint8_t* data, std::size_t size, void* self) {
  Stream* stream = find(session, id);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!stream || !test::matches_pattern(stream->received, bytes)) {
    static_cast<Connection*>(self)->fail(Kind::kMismatch, "wrong bytes");
    return 0;
  }
  stream->received += size;
  return 0;
}

int H2Client::Connection::on_close(nghttp2_session* session, std::int32_t id, std::uint32_t code,
                                   void* self) {
  auto& connection = *static_cast<Connection*>(self);
  H2Client& client = connection.client_;
  Stream* stream = find(session, id);
  if (!stream || connection.is_broken_) return 0;
  if (code != NGHTTP2_NO_ERROR || !stream->is_ok || stream->received != client.options_.body_bytes) {
    connection.fail(Kind::kMismatch, "stream closed with code " + std::to_string(code) + " after " +
                                         std::to_string(stream->received) + " bytes");
    return 0;
  }
  client.report_.record_ok(200, {}, {}, Clock::now() - stream->since);
  connection.request(*stream);
  return 0;
}

H2Client::H2Client(EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {
  path_ = "/bytes/" + std::to_string(options_.body_bytes);
  fields_ = {{":method", "GET"}, {":scheme", "https"}, {":authority", options_.name}, {":path", path_}};
  for (const std::string& header : options_.headers) {
    const std::size_t colon = header.find(':');
    std::string name = header.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    fields_.emplace_back(name, header.substr(colon + 2));
  }
}

H2Client::~H2Client() = default;

Status H2Client::start() {
  tls_.reset(SSL_CTX_new(TLS_client_method()));
  const unsigned char protocols[] = "\x02h2";
  SSL_CTX_set_alpn_protos(tls_.get(), protocols, sizeof protocols - 1);
  SSL_CTX_set_mode(tls_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(tls_.get(), 1);
  SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_locations(tls_.get(), options_.ca_file.c_str(), nullptr) != 1) {
    return Error{"cannot read certificates of " + options_.ca_file};
  }
  for (std::size_t i = 0; i < options_.connections; ++i) {
    connections_.push_back(std::make_unique<Connection>(*this));
    if (!connections_.back()->open()) return system_error("connect");
  }
  return {};
}

void H2Client::abandon() { connections_.clear(); }

}  // namespace gatehouse::perf
