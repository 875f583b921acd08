#include "common/link_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace gatehouse {
namespace {

// The name in a message about a link; empty in others.
std::string link_name(const nlmsghdr* message) {
  if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK) return {};
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  auto left = static_cast<int>(message->nlmsg_len - NLMSG_LENGTH(sizeof *info));
  for (const rtattr* attribute = IFLA_RTA(info); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == IFLA_IFNAME) return static_cast<const char*>(RTA_DATA(attribute));
  }
  return {};
}

}  // namespace

Status LinkWatch::start() {
  socket_ = Fd(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  const bool is_bound = socket_.is_open() && bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  if (!is_bound) return system_error("cannot listen for changes of network interfaces");
  watch_.start<&LinkWatch::on_ready>(loop_, socket_.get(), EPOLLIN, this);
  return {};
}

void LinkWatch::on_ready(std::uint32_t) {
  std::vector<std::pair<std::string, bool>> changes;
  alignas(nlmsghdr) char buffer[16384];
  for (;;) {
    const ssize_t size = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (size < 0 && errno == ENOBUFS) continue;  // some were lost; the next change brings the state again
    if (size <= 0) break;
    auto left = static_cast<unsigned>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
      if (std::string name = link_name(message); !name.empty()) {
        changes.emplace_back(std::move(name), message->nlmsg_type == RTM_NEWLINK);
      }
    }
  }
  for (const auto& [name, is_there] : changes) changed_(name, is_there);
}

}  // namespace gatehouse
