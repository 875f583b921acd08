// The control protocol's transport: frames of a 4-byte big-endian length and a JSON-RPC 2.0 object, over a Unix
// socket (mode 0600, peer credentials checked) or TCP with mutual TLS (both ends verified against the site's CA).
//
// A Channel lives on one event loop and owns its socket. Requests are answered in any order; a notification has no
// answer. A malformed frame, an over-long frame (kMaxFrame) or a failed handshake closes the channel with a reason.
// Descriptors may ride along with a frame on Unix sockets (SCM_RIGHTS), which then says how many ("descriptors": 2): that is
// how workers get their listeners.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/config/model.h"
#include "common/event_loop.h"
#include "common/fd.h"
#include "common/result.h"

namespace gatehouse::control {

using Json = nlohmann::json;

inline constexpr std::size_t kMaxFrame = 16u << 20;
inline constexpr std::size_t kMaxDescriptors = 64;  // with one frame

// The result of a request: a JSON value, or an Error whose message is shown to the operator.
using Reply = std::function<void(Result<Json>)>;

class Channel;

// What the owner of a channel is told. All calls come from the event loop, never from inside send or request.
struct Handlers {
  // The peer asks; `reply` must be called exactly once, now or later (a reply after the channel is gone is dropped).
  std::function<void(Channel&, std::string_view method, const Json& params, Reply reply)> on_request;
  // The peer tells. `descriptors` came with the frame; take what is needed, the rest is closed.
  std::function<void(Channel&, std::string_view method, const Json& params, std::vector<Fd>& descriptors)> on_notify;
  std::function<void(Channel&)> on_open;  // connected, TLS verified
  // The channel is dead; destroy it when convenient (also from inside this call).
  std::function<void(Channel&, const std::string& reason)> on_close;
};

// Keys for TCP channels, of config::Control; nullptr where there is none.
class TlsIdentity;
Result<std::shared_ptr<TlsIdentity>> load_tls_identity(const config::Control& control);
// Of a host that has none yet: it shows nothing, and takes for the site whoever proves an authority whose public key has
// this SHA-256 (64 hexadecimal digits).
std::shared_ptr<TlsIdentity> identity_of_stranger(const std::string& pin);
// Channels that begin from now on have the keys of `next`; those that are open stay as they are.
void replace_identity(TlsIdentity& identity, TlsIdentity& next);

class Channel {
 public:
  virtual ~Channel() = default;
  virtual void request(std::string_view method, Json params, Reply reply) = 0;
  virtual void notify(std::string_view method, Json params, const std::vector<int>& descriptors = {}) = 0;
  virtual void close(const std::string& reason) = 0;  // on_close follows at the end of the turn
  virtual const std::string& peer() const = 0;        // for messages: "unix uid 0 pid 12" or "192.0.2.21:5000 (CN n1)"
  virtual const std::string& peer_name() const = 0;   // the common name of the peer's certificate; empty on Unix
  virtual int peer_pid() const = 0;                   // of the process that connected; 0 over TCP
  virtual int peer_uid() const = 0;                   // of its user; -1 over TCP
  // From now on: no longer frames than that, and no longer than that.
  virtual void confine(std::size_t longest_frame, Duration longest_life) = 0;
};

// Both return at once; on_open or on_close follows.
std::unique_ptr<Channel> connect_unix(EventLoop& loop, const std::string& path, Handlers handlers);
std::unique_ptr<Channel> connect_tcp(EventLoop& loop, const Endpoint& peer, std::shared_ptr<TlsIdentity> identity,
                                     Handlers handlers);
// Adopts a connected Unix stream socket (a socketpair end).
std::unique_ptr<Channel> adopt_unix(EventLoop& loop, Fd socket, Handlers handlers);

// Accepts channels until destroyed; owns those that are open. `make_handlers` is called once per accepted channel.
class Server {
 public:
  virtual ~Server() = default;
  virtual const std::vector<Channel*>& channels() const = 0;
};

// A stale socket file of a dead process is replaced; a live one is an error. `allowed_uids`: who may connect besides
// the process's own user. Mode 0600, or 0666 when other users are allowed (credentials are what is checked).
Result<std::unique_ptr<Server>> listen_unix(EventLoop& loop, const std::string& path, Handlers handlers,
                                            std::vector<unsigned> allowed_uids = {});
// Who comes without a certificate is refused in the handshake; unless `are_welcome` says otherwise: it may then ask once, in
// kStrangersFrame bytes and kStrangersLife, is answered by `on_request`, and never gets near the other handlers.
struct Strangers {
  std::function<bool()> are_welcome;
  std::function<void(Channel&, std::string_view method, const Json& params, Reply reply)> on_request;
};
inline constexpr std::size_t kStrangersFrame = 32u << 10;
inline constexpr Duration kStrangersLife{10'000};
Result<std::unique_ptr<Server>> listen_tcp(EventLoop& loop, const Endpoint& address, std::shared_ptr<TlsIdentity> identity,
                                           Handlers handlers, Strangers strangers = {});

// One request from a program without a loop of its own (the command line): connects, asks, waits, at most `timeout`.
Result<Json> call_unix(const std::string& path, std::string_view method, Json params, Duration timeout);

}  // namespace gatehouse::control
