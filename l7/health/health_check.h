// Active checks of one backend: a GET on a connection of its own every interval; status and body decide; rise and fall
// damp the verdict. The first check decides alone, so that a dead backend gets nothing after a start.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/config/model.h"
#include "common/event_loop.h"
#include "l7/proxy_protocol.h"
#include "l7/tls/client_context.h"
#include "l7/wire.h"

namespace gatehouse::l7 {

class HealthCheck {
 public:
  using OnChange = std::function<void()>;
  // `on_change` after every change of is_healthy(), `on_pass` after every check that succeeded. `offset`: how much later than now the first check starts, so that many
  // do not start together. `proxy`: of the header that the pool's connections begin with.
  HealthCheck(EventLoop& loop, BufferPool& buffers, const config::Health& health, const Endpoint& backend, Duration offset, OnChange on_change,
              ProxyVersion proxy = ProxyVersion::kNone, const TlsClientContext& tls = {}, std::function<void()> on_pass = {});

  bool is_healthy() const { return is_healthy_; }
  bool is_decided() const { return is_decided_; }  // a check has ended
  const std::string& reason() const { return reason_; }  // of the last failure; empty while healthy

 private:
  void start();
  void on_event(std::uint32_t events);
  void on_timeout();
  void advance();
  void ask();
  bool read_head();
  bool read_body();
  void conclude(const std::string& failure);
  void succeed();
  void fail(const std::string& failure);

  EventLoop& loop_;
  BufferPool& buffers_;
  config::Health health_;
  Endpoint backend_;
  TlsClientContext tls_;  // what backends of the pool speak
  OnChange on_change_;
  std::function<void()> on_pass_;
  ProxyVersion proxy_;
  std::string request_;
  bool has_asked_ = false;
  std::unique_ptr<Wire> wire_;
  Watch watch_;
  Timer interval_;
  Timer timeout_;
  class Answer;
  std::shared_ptr<Answer> answer_;
  bool is_healthy_ = true;
  bool is_decided_ = false;
  std::uint32_t streak_ = 0;  // results in a row against the present verdict
  std::string reason_;
};

}  // namespace gatehouse::l7
