#include "l7/discovery/dns_lookup.h"

#include <algorithm>

#include "common/config/dns_name.h"
#include "l7/discovery/srv_backends.h"

namespace gatehouse::l7 {
namespace {

constexpr std::size_t kMostTargets = 256;

}  // namespace

DnsLookup::DnsLookup(EventLoop& loop, const config::Discovery& options, std::function<void(Found)> on_found)
    : loop_(loop),
      options_(options),
      on_found_(std::move(on_found)),
      client_(loop, options.resolvers, options.timeout) {
  limit_.arm<&DnsLookup::on_limit>(loop_, options.timeout, this);
  if (options.srv.empty()) {
    name_ = config::parse_named_port(options.dns)->name;
    ask_addresses({name_});
  } else {
    name_ = options.srv;
    ask({{name_, DnsType::kSrv}});
  }
}

// All are open before the first is asked: it may be answered at once.
void DnsLookup::ask(std::vector<std::pair<std::string, DnsType>> questions) {
  open_.insert(questions.begin(), questions.end());
  for (const auto& [name, type] : questions) {
    client_.ask(name, type, [this, name = name, type = type](DnsAnswer answer) {
      on_answer(name, type, std::move(answer));
    });
  }
}

void DnsLookup::ask_addresses(const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, DnsType>> questions;
  for (const std::string& name : names) {
    if (options_.family != "ipv6") questions.emplace_back(name, DnsType::kA);
    if (options_.family != "ipv4") questions.emplace_back(name, DnsType::kAaaa);
  }
  ask(std::move(questions));
}

void DnsLookup::on_answer(const std::string& name, DnsType type, DnsAnswer answer) {
  note(name, type, answer);
  if (type == DnsType::kSrv) {
    take_services(std::move(answer.services));
  } else {
    take_addresses(name, answer.addresses);
  }
  open_.erase({name, type});
  // Never from inside an answer: what comes of it destroys the client.
  if (open_.empty() && !is_over_) done_.arm<&DnsLookup::report>(loop_, this);
}

void DnsLookup::take_addresses(const std::string& name, const std::vector<IpAddress>& found) {
  std::vector<IpAddress>& known = addresses_[name];
  known.insert(known.end(), found.begin(), found.end());
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
}

void DnsLookup::take_services(std::vector<SrvRecord> services) {
  services_ = std::move(services);
  std::sort(services_.begin(), services_.end());
  has_records_ = false;  // of addresses
  std::set<std::string> targets;
  for (const SrvRecord& record : services_) {
    if (targets.size() < kMostTargets) targets.insert(record.target);
  }
  if (!targets.empty()) ask_addresses({targets.begin(), targets.end()});
}

void DnsLookup::note(const std::string& name, DnsType type, const DnsAnswer& answer) {
  has_records_ |= answer.kind == DnsAnswer::Kind::kRecords;
  if (answer.kind == DnsAnswer::Kind::kRecords) ttl_ = std::min(ttl_, answer.ttl);
  if (answer.kind == DnsAnswer::Kind::kNone) none_ttl_ = std::min(none_ttl_, answer.ttl);
  if (answer.kind != DnsAnswer::Kind::kFailed) return;
  has_failed_ = true;
  if (type != DnsType::kAaaa) found_.has_failed_v4 = true;
  if (type != DnsType::kA) found_.has_failed_v6 = true;
  if (found_.reason.empty()) found_.reason = name + " " + name_of(type) + ": " + answer.reason;
}

void DnsLookup::on_limit() {
  for (const auto& [name, type] : open_)
    note(name, type, {DnsAnswer::Kind::kFailed, "no answer within " + to_string(options_.timeout)});
  report();
}

void DnsLookup::report() {
  if (std::exchange(is_over_, true)) return;
  limit_.cancel();
  done_.cancel();
  found_.backends = backends();
  if (found_.backends.size() > config::kMostDiscovered) found_.backends.resize(config::kMostDiscovered);
  found_.kind = has_records_  ? DnsAnswer::Kind::kRecords
                : has_failed_ ? DnsAnswer::Kind::kFailed
                              : DnsAnswer::Kind::kNone;
  if (found_.kind == DnsAnswer::Kind::kNone) found_.reason = name_ + ": DNS says that there is none";
  const Duration ttl = has_records_ ? ttl_ : none_ttl_;
  found_.ttl = ttl == Duration::max() ? Duration(0) : ttl;
  const auto on_found = std::move(on_found_);
  on_found(std::move(found_));
}

std::vector<config::Backend> DnsLookup::backends() const {
  if (!options_.srv.empty()) return srv_backends(services_, addresses_);
  std::vector<config::Backend> backends;
  const std::uint16_t port = config::parse_named_port(options_.dns)->port;
  for (const auto& [name, addresses] : addresses_) {
    for (const IpAddress& address : addresses) backends.push_back({{address, port}});
  }
  return backends;
}

}  // namespace gatehouse::l7
