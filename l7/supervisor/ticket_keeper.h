// The secret behind session tickets, and the keys of the present. The secret is read from a file that all
// nodes of a site share, or made here. One made here never touches a disk: it lies in a sealed memfd, of
// which every worker holds a path-only descriptor. That opens to root alone, so a worker cannot read it, but
// keeps it alive while the supervisor is away and gives it to the next one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/config/model_tls.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"
#include "l7/tls/ticket_keys.h"

namespace gatehouse::l7 {

class TicketKeeper {
 public:
  // `on_change` when keys() are others than before.
  TicketKeeper(EventLoop& loop, std::function<void()> on_change)
      : loop_(loop), on_change_(std::move(on_change)) {}

  // The content of the file that `tls` names; empty: it names none.
  static Result<std::string> read_secret(const config::Tls& tls);
  // `secret`: what read_secret() said.
  void set_config(const config::Tls& tls, std::string secret);
  // A descriptor that a worker kept for an earlier supervisor; anything else is refused.
  void adopt(const Fd& descriptor);
  // There is nobody who could have kept one.
  void make_own();

  const std::optional<TicketWindow>& keys() const { return keys_; }
  int descriptor() const { return descriptor_.get(); }  // for workers to keep; -1: there is none

 private:
  void refresh();
  void take(std::string secret, Fd descriptor);

  EventLoop& loop_;
  std::function<void()> on_change_;
  config::Tls config_;
  std::string site_secret_;
  std::string own_secret_;
  Fd descriptor_;
  std::optional<TicketWindow> keys_;
  Timer refresh_;
};

}  // namespace gatehouse::l7
