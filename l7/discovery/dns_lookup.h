// All questions that the backends of one pool need, asked at once: A and AAAA of a name, or SRV records and
// then the addresses of their targets. It is asked anew for every look.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/config/model_http.h"
#include "l7/discovery/dns_client.h"

namespace gatehouse::l7 {

// What a look came to.
struct Found {
  DnsAnswer::Kind kind = DnsAnswer::Kind::kFailed;
  std::vector<config::Backend> backends;  // by address
  Duration ttl{0};
  std::string reason;                                 // of questions that failed, also when others did not
  bool has_failed_v4 = false, has_failed_v6 = false;  // so that nothing is known of these
};

class DnsLookup {
 public:
  // Calls `on_found` once, from the loop; it may destroy the lookup. `options` outlive it.
  DnsLookup(EventLoop& loop, const config::Discovery& options, std::function<void(Found)> on_found);

 private:
  void ask(std::vector<std::pair<std::string, DnsType>> questions);
  void ask_addresses(const std::vector<std::string>& names);
  void on_answer(const std::string& name, DnsType type, DnsAnswer answer);
  void take_addresses(const std::string& name, const std::vector<IpAddress>& found);
  void take_services(std::vector<SrvRecord> services);
  void note(const std::string& name, DnsType type, const DnsAnswer& answer);
  void on_limit();
  void report();
  std::vector<config::Backend> backends() const;

  EventLoop& loop_;
  const config::Discovery& options_;
  std::function<void(Found)> on_found_;
  DnsClient client_;
  std::string name_;                                // of dns or srv
  std::set<std::pair<std::string, DnsType>> open_;  // questions without an answer yet
  bool is_over_ = false;
  std::vector<SrvRecord> services_;
  std::map<std::string, std::vector<IpAddress>> addresses_;
  Found found_;
  bool has_records_ = false, has_failed_ = false;
  Duration ttl_ = Duration::max();       // of records
  Duration none_ttl_ = Duration::max();  // of their absence
  Timer limit_;
  Deferred done_;
};

}  // namespace gatehouse::l7
