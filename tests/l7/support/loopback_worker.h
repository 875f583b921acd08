// A real worker in this process, on 127.0.0.1 and a loop that the test turns: a listener "web", a pool "main"
// and a route "all" for every host, until the test changes `config` and applies it. Backends are HttpServers
// on the same loop or RawServers. Nothing here sleeps: until() turns the loop until a condition holds or its
// time is up.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "l7/tls/files.h"
#include "l7/worker.h"
#include "tests/l7/support/raw_socket.h"
#include "tests/support/http_head.h"
#include "tests/support/http_server.h"
#include "tests/support/turn_until.h"

namespace gatehouse::test {

// One response as a client sees it.
struct Reply {
  std::uint16_t status = 0;
  std::string head;
  std::string body;
  bool is_chunked = false;

  std::string field(std::string_view name) const {
    HttpHead parsed;
    return parsed.parse(head) == HeadState::kDone ? std::string(parsed.field(name)) : std::string();
  }
  bool has_field(std::string_view name) const {
    HttpHead parsed;
    if (parsed.parse(head) != HeadState::kDone) return false;
    for (const auto& [known, value] : parsed.fields) {
      if (equal_ignoring_case(known, name)) return true;
    }
    return false;
  }
};

// Takes the first complete response off the front of `bytes`. `is_over`: no more bytes will come, which ends
// a body without framing.
inline std::optional<Reply> take_reply(std::string& bytes, bool is_head_request = false,
                                       bool is_over = false) {
  HttpHead head;
  if (head.parse(bytes) != HeadState::kDone) return std::nullopt;
  Reply reply;
  reply.status = static_cast<std::uint16_t>(std::stoi(std::string(head.words[1])));
  reply.head = bytes.substr(0, head.size);
  reply.is_chunked = head.is_chunked;
  std::string_view rest = std::string_view(bytes).substr(head.size);
  const bool has_no_body =
      is_head_request || reply.status < 200 || reply.status == 204 || reply.status == 304;
  if (head.is_chunked && !has_no_body) {
    ChunkedReader reader;
    HeadState state = HeadState::kNeedMore;
    while (state == HeadState::kNeedMore && !rest.empty()) {
      std::string_view data;
      state = reader.next(rest, data);
      reply.body += data;
    }
    if (state != HeadState::kDone) return std::nullopt;
  } else if (!has_no_body) {
    const bool has_end = head.has_content_length;
    if (has_end ? rest.size() < head.content_length : !is_over) return std::nullopt;
    reply.body = rest.substr(0, has_end ? head.content_length : rest.size());
    rest.remove_prefix(reply.body.size());
  }
  bytes.erase(0, bytes.size() - rest.size());
  return reply;
}

inline std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a.example\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

class LoopbackWorker {
 public:
  LoopbackWorker()
      : board(l7::Board::anonymous()),
        worker(std::make_unique<l7::Worker>(loop, *board, l7::WorkerIdentity{0, "n1"})) {
    config.listeners.emplace_back().name = "web";
    config.pools.emplace_back().name = "main";
    config::Route& route = config.routes.emplace_back();
    route.name = "all";
    route.pool = "main";
  }

  HttpServer& add_server(const std::string& name = "b1", std::size_t pool = 0) {
    HttpServerOptions options;
    options.name = name;
    options.addresses = {*Endpoint::parse("127.0.0.1:0")};
    servers_.push_back(std::make_unique<HttpServer>(loop, options));
    GH_CHECK(servers_.back()->start().has_value());
    config.pools[pool].backends.push_back({servers_.back()->addresses()[0]});
    return *servers_.back();
  }
  RawServer& add_raw_server(RawSocket::OnBytes on_bytes, int receive_buffer = 0) {
    raw_servers_.push_back(std::make_unique<RawServer>(loop, std::move(on_bytes), receive_buffer));
    config.pools[0].backends.push_back({raw_servers_.back()->address()});
    return *raw_servers_.back();
  }
  // Answers whatever comes with these bytes.
  RawServer& add_raw_server(std::string answer) {
    return add_raw_server([answer](RawSocket& connection) { connection.send(answer); });
  }

  // Makes the worker serve `config`; the listener's socket is made the first time.
  void apply() {
    const auto digest = worker->set_config(config, files);
    GH_CHECK(digest.has_value());
    if (address_.port) return;
    std::vector<l7::ListenerSocket> sockets;
    sockets.push_back({"web", "web", listen_on_loopback(address_)});
    worker->set_listeners(std::move(sockets));
  }
  const Endpoint& address() const { return address_; }
  std::unique_ptr<RawSocket> connect(int receive_buffer = 0) {
    return std::make_unique<RawSocket>(loop, address_, receive_buffer);
  }

  template <typename Condition>
  bool until(Condition condition, Duration limit = Duration(10'000)) {
    return turn_until(loop, condition, limit);
  }
  // Whether `amount` came to rest: it stays what it is, and is not 0, for many turns.
  template <typename Amount>
  bool comes_to_rest(Amount amount) {
    std::size_t before = 0;
    int quiet_turns = 0;
    return until([&] {
      const std::size_t now = amount();
      quiet_turns = now == before ? quiet_turns + 1 : 0;
      before = now;
      return now > 0 && quiet_turns >= 20;
    });
  }
  // How often the loop turns in a while in which nothing should happen.
  int turns_while_waiting() {
    int turns = 0;
    until([&] { return ++turns > 200; }, Duration(100));
    return turns;
  }
  // The next response on `client`, interim ones too; status 0: none came.
  Reply next_reply(RawSocket& client, bool is_head_request = false) {
    std::optional<Reply> reply;
    until([&] {
      const bool is_over = client.is_ended();
      reply = take_reply(client.received(), is_head_request, is_over);
      return reply || is_over;
    });
    return reply.value_or(Reply());
  }
  Reply ask(RawSocket& client, std::string_view request) {
    client.send(request);
    return next_reply(client, request.starts_with("HEAD "));
  }
  // On a connection of its own. When it has come back, everything sent before it has been seen too.
  Reply ask(std::string_view request) { return ask(*connect(), request); }

  EventLoop loop;
  config::Config config;
  l7::TlsFiles files;  // that the config names
  std::unique_ptr<l7::Board> board;
  std::unique_ptr<l7::Worker> worker;

 private:
  std::vector<std::unique_ptr<HttpServer>> servers_;
  std::vector<std::unique_ptr<RawServer>> raw_servers_;
  Endpoint address_;
};

}  // namespace gatehouse::test
