// Questions to DNS servers, by c-ares on the event loop: sockets, retries and timeouts, TCP for what does not
// fit. A client is made for a few questions that belong together and thrown away: it reads the host's
// resolv.conf anew each time, and no socket stays open.
#pragma once

#include <ares.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/event_loop.h"
#include "l7/discovery/dns_message.h"

namespace gatehouse::l7 {

class DnsClient {
 public:
  using Done = std::function<void(DnsAnswer)>;

  // `resolvers`: none: the host's. `timeout`: of a question, about.
  DnsClient(EventLoop& loop, const std::vector<Endpoint>& resolvers, Duration timeout);
  DnsClient(const DnsClient&) = delete;
  ~DnsClient();  // nobody is called any more

  // `done` may be called before this returns; it must not destroy the client.
  void ask(const std::string& name, DnsType type, Done done);

 private:
  struct Question;
  struct Socket;
  void set_servers(const std::vector<Endpoint>& resolvers);
  void on_socket(int fd, bool reads, bool writes);
  void process(int readable, int writable);
  void arm_timer();
  void on_timer() { process(ARES_SOCKET_BAD, ARES_SOCKET_BAD); }

  EventLoop& loop_;
  ares_channel channel_ = nullptr;
  std::string failure_;  // why there is no channel
  std::map<int, std::unique_ptr<Socket>> sockets_;
  Timer timer_;
};

}  // namespace gatehouse::l7
