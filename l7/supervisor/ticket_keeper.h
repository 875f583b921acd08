// The secret behind session tickets and our own cookies, and the keys of the present. The secret is read from a file that all
// nodes of a site share, or made here. One made here never touches a disk: it lies in a sealed memfd, of
// which every worker holds a path-only descriptor. That opens to root alone, so a worker cannot read it, but
// keeps it alive while the supervisor is away and gives it to the next one.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/config/model_affinity.h"
#include "common/config/model_tls.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"
#include "l7/cookie_seal.h"
#include "l7/tls/ticket_keys.h"

namespace gatehouse::l7 {

class TicketKeeper {
 public:
  // `on_change` when keys() or cookie_keys() are others than before.
  TicketKeeper(EventLoop& loop, std::function<void()> on_change)
      : loop_(loop), on_change_(std::move(on_change)) {}

  // The content of the file that `tls` names; empty: it names none.
  static Result<std::string> read_secret(const config::Tls& tls);
  // The content of the files that `cookies` names; empty: not named.
  struct CookieSecrets {
    std::string present;
    std::string earlier;
  };
  static Result<CookieSecrets> read_cookie_secrets(const config::Cookies& cookies);
  // What read_cookie_secrets() said; with the next set_config(). Without one the secret of tickets serves.
  void set_cookie_secrets(CookieSecrets secrets) { cookie_secrets_ = std::move(secrets); }
  // `secret`: what read_secret() said.
  void set_config(const config::Tls& tls, std::string secret);
  // A descriptor that a worker kept for an earlier supervisor; anything else is refused.
  void adopt(const Fd& descriptor);
  // There is nobody who could have kept one.
  void make_own();

  const std::optional<TicketWindow>& keys() const { return keys_; }
  const std::optional<CookieKeys>& cookie_keys() const { return cookie_keys_; }
  int descriptor() const { return descriptor_.get(); }  // for workers to keep; -1: there is none

 private:
  void refresh();
  // Whether they are others now.
  bool refresh_cookie_keys(const std::string& secret);
  bool refresh_ticket_keys(const std::string& secret);
  void take(std::string secret, Fd descriptor);

  EventLoop& loop_;
  std::function<void()> on_change_;
  config::Tls config_;
  std::string site_secret_;
  std::string own_secret_;
  Fd descriptor_;
  std::optional<TicketWindow> keys_;
  CookieSecrets cookie_secrets_;
  std::optional<CookieKeys> cookie_keys_;
  Timer refresh_;
};

}  // namespace gatehouse::l7
