// One end of an HTTP/2 connection that a test holds in its own hands, client or server, on nghttp2 and a RawSocket. It
// records everything that comes, sends what the test says, and opens windows only when told to where the test wants that.
// It is a peer of the product and shares nothing with it but nghttp2.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/l7/support/raw_socket.h"

namespace gatehouse::test {

using H2FieldList = std::vector<std::pair<std::string, std::string>>;

// What has come on one stream.
struct H2Message {
  H2FieldList fields;                  // pseudo fields too
  std::vector<H2FieldList> interim;    // 1xx
  std::string body;
  H2FieldList trailers;
  bool has_head = false;
  bool is_ended = false;               // the peer's half
  bool is_closed = false;
  std::uint32_t error = 0;             // of the close
  std::size_t frames = 0;              // of DATA

  std::string field(std::string_view name) const;  // the first of that name, or empty
  std::size_t count(std::string_view name) const;
  std::string trailer(std::string_view name) const;
  int status() const;
};

class H2Peer {
 public:
  struct Options {
    bool is_server = false;
    bool opens_windows = true;         // else: open_window() does
    std::vector<nghttp2_settings_entry> settings;
    std::size_t connection_window = 16 * 1024 * 1024;
  };
  // `on_message`: a head, some body or the end of one has come on this stream.
  using OnMessage = std::function<void(H2Peer&, std::int32_t id)>;

  H2Peer(std::unique_ptr<RawSocket> socket, Options options, OnMessage on_message = {});
  ~H2Peer();

  // Client: begins a request and returns its stream. Without `body` more follows by send().
  std::int32_t request(const H2FieldList& fields, std::optional<std::string> body = "");
  std::int32_t get(const std::string& path, const H2FieldList& more = {});
  std::int32_t post(const std::string& path, const std::string& body, const H2FieldList& more = {});
  // Server: a head, with the body and trailers if they are given; interim when its :status is 1xx.
  void respond(std::int32_t id, const H2FieldList& fields, std::optional<std::string> body = "", const H2FieldList& trailers = {});
  void send(std::int32_t id, std::string_view data, bool is_last = false, const H2FieldList& trailers = {});
  void reset(std::int32_t id, std::uint32_t code);
  void go_away(std::int32_t last_id, std::uint32_t code);
  void open_window(std::int32_t id, std::size_t bytes);
  void prioritize(std::int32_t id, const std::string& value);  // PRIORITY_UPDATE
  void flush();

  RawSocket& socket() { return *socket_; }
  nghttp2_session* session() { return session_; }
  H2Message& message(std::int32_t id) { return messages_[id]; }
  const std::map<std::int32_t, H2Message>& messages() const { return messages_; }
  const std::vector<std::int32_t>& order() const { return order_; }  // streams by the DATA frames that came
  std::uint32_t setting(nghttp2_settings_id id) const { return nghttp2_session_get_remote_settings(session_, id); }
  // GOAWAYs that came: last stream and code.
  const std::vector<std::pair<std::int32_t, std::uint32_t>>& goodbyes() const { return goodbyes_; }
  bool is_ended() const { return socket_->is_ended(); }

 private:
  struct Outgoing {
    std::string data;
    bool is_last = false;
    H2FieldList trailers;
  };
  friend struct H2PeerCallbacks;
  void receive();

  std::unique_ptr<RawSocket> socket_;
  Options options_;
  OnMessage on_message_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, H2Message> messages_;
  std::map<std::int32_t, Outgoing> outgoing_;
  std::vector<std::int32_t> order_;
  std::vector<std::int32_t> touched_;
  std::vector<std::pair<std::int32_t, std::uint32_t>> goodbyes_;
  bool is_receiving_ = false;
};

// A backend that speaks HTTP/2 with prior knowledge, every byte of it the test's.
class H2Server {
 public:
  H2Server(EventLoop& loop, H2Peer::OnMessage on_message, H2Peer::Options options = {});
  const Endpoint& address() const { return address_; }
  std::vector<std::unique_ptr<H2Peer>> connections;  // all that ever were

 private:
  void on_ready(std::uint32_t events);

  EventLoop& loop_;
  H2Peer::OnMessage on_message_;
  H2Peer::Options options_;
  Endpoint address_;
  Fd socket_;
  Watch watch_;
};

}  // namespace gatehouse::test
