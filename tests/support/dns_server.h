// A DNS server for tests, on loopback by UDP: answers what it was told to, or as badly as it was told to. It
// shares no parser with the product.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/address.h"
#include "common/check.h"
#include "common/event_loop.h"

namespace gatehouse::test {

class DnsServer {
 public:
  enum class Manner { kAnswers, kFails, kIsSilent, kDeniesAll, kTalksNonsense };
  static constexpr std::uint16_t kA = 1, kAaaa = 28, kSrv = 33;

  explicit DnsServer(EventLoop& loop, const Endpoint& at = *Endpoint::parse("127.0.0.1:0")) {
    const int type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    socket_ = Fd(socket(AF_INET, type, 0));
    sockaddr_storage storage;
    socklen_t length = to_sockaddr(at, storage);
    GH_CHECK(bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
    GH_CHECK(getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &(length = sizeof storage)) ==
             0);
    address_ = Endpoint::from_sockaddr(storage);
    watch_.start<&DnsServer::on_ready>(loop, socket_.get(), EPOLLIN, this);
  }

  const Endpoint& address() const { return address_; }
  void set(const std::string& name, const std::vector<std::string>& addresses, std::uint32_t ttl = 0) {
    records_.erase({name, kA});
    records_.erase({name, kAaaa});
    for (const std::string& text : addresses) {
      const IpAddress address = *IpAddress::parse(text);
      const std::string bytes(address.bytes.begin(), address.bytes.end());
      const bool is_v4 = address.is_v4();
      records_[{name, is_v4 ? kA : kAaaa}].push_back({ttl, is_v4 ? bytes.substr(12) : bytes});
    }
  }
  struct Service {
    std::uint16_t priority, weight, port;
    std::string target;
  };
  void set_services(const std::string& name, const std::vector<Service>& services, std::uint32_t ttl = 0) {
    records_.erase({name, kSrv});
    for (const Service& each : services) {
      records_[{name, kSrv}].push_back(
          {ttl, u16(each.priority) + u16(each.weight) + u16(each.port) + name_bytes(each.target)});
    }
  }
  void clear() { records_.clear(); }
  void fail_type(std::uint16_t type) { failing_type_ = type; }  // 0: none
  std::size_t asked() const { return asked_; }
  void set_on_question(std::function<void()> on_question) { on_question_ = std::move(on_question); }

  Manner manner = Manner::kAnswers;

 private:
  struct Record {
    std::uint32_t ttl;
    std::string data;
  };
  static std::string u16(std::size_t value) {
    return {static_cast<char>(value >> 8 & 0xff), static_cast<char>(value & 0xff)};
  }
  static std::string name_bytes(const std::string& name) {
    std::string bytes;
    for (std::size_t start = 0; start < name.size();) {
      const std::size_t end = std::min(name.find('.', start), name.size());
      bytes += static_cast<char>(end - start) + name.substr(start, end - start);
      start = end + 1;
    }
    return bytes + '\0';
  }

  void on_ready(std::uint32_t) {
    char bytes[2048];
    sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t size = 0;
    while ((size = recvfrom(socket_.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from),
                            &(length = sizeof from))) > 0) {
      ++asked_;
      if (on_question_) on_question_();
      if (manner == Manner::kIsSilent) continue;
      const std::string answer = answer_to(std::string(bytes, static_cast<std::size_t>(size)));
      sendto(socket_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), length);
    }
  }
  std::string answer_to(const std::string& question) const {
    std::string name;
    std::size_t at = 12;
    while (at < question.size() && question[at] != 0) {
      name += (name.empty() ? "" : ".") + question.substr(at + 1, static_cast<std::size_t>(question[at]));
      at += 1 + static_cast<std::size_t>(question[at]);
    }
    const auto type = static_cast<std::uint16_t>(static_cast<unsigned char>(question[at + 2]));
    const std::string asked = question.substr(12, at + 5 - 12);
    const auto found = records_.find({name, type});
    const bool is_known = found != records_.end() && manner == Manner::kAnswers;
    const bool fails = manner == Manner::kFails || type == failing_type_;
    std::string answers;
    for (const Record& record : is_known && !fails ? found->second : std::vector<Record>()) {
      answers += u16(0xc00c) + u16(type) + u16(1) + u16(record.ttl >> 16) + u16(record.ttl) +
                 u16(record.data.size()) + record.data;
    }
    if (manner == Manner::kTalksNonsense) answers = u16(0xc00c) + "nonsense";
    const std::size_t count = is_known && !fails                 ? found->second.size()
                              : manner == Manner::kTalksNonsense ? 1
                                                                 : 0;
    const unsigned code = fails ? 2 : manner == Manner::kDeniesAll ? 3 : 0;
    return question.substr(0, 2) + u16(0x8580 | code) + u16(1) + u16(count) + u16(0) + u16(0) + asked +
           answers;
  }

  std::function<void()> on_question_;
  Fd socket_;
  Watch watch_;
  Endpoint address_;
  std::map<std::pair<std::string, std::uint16_t>, std::vector<Record>> records_;
  std::uint16_t failing_type_ = 0;
  std::size_t asked_ = 0;
};

}  // namespace gatehouse::test
