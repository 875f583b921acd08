// Messages are a header, a fixed part and attributes, each aligned to four bytes (netlink(7), rtnetlink(7)).
#include "l4/route_netlink.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace gatehouse::l4 {
namespace {

Result<Fd> open_socket() {
  Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd.is_open()) return system_error("cannot open rtnetlink");
  // Answers do not repeat the request.
  const int on = 1;
  setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return fd;
}

template <typename T>
void append(std::string& bytes, const T& value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// Calls `take` for each message until it says that it was the last one.
template <typename Take>
Status receive(int socket, Take take) {
  alignas(nlmsghdr) char buffer[32768];
  for (;;) {
    const ssize_t size = recv(socket, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return system_error("rtnetlink did not answer");
    auto left = static_cast<unsigned>(size);
    for (auto* message = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(message, left);
         message = NLMSG_NEXT(message, left)) {
      if (take(*message)) return {};
    }
  }
}

}  // namespace

void NetlinkBatch::begin(std::uint16_t type, std::uint16_t flags, const void* header, std::size_t size) {
  starts_.push_back(bytes_.size());
  nlmsghdr message{};
  message.nlmsg_type = type;
  message.nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST | NLM_F_ACK);
  message.nlmsg_seq = static_cast<std::uint32_t>(starts_.size());
  append(bytes_, message);
  bytes_.append(static_cast<const char*>(header), size);
  pad();
}

void NetlinkBatch::pad() { bytes_.resize((bytes_.size() + 3) & ~std::size_t{3}); }

void NetlinkBatch::attribute(std::uint16_t type, const void* data, std::size_t size) {
  append(bytes_, rtattr{static_cast<std::uint16_t>(RTA_LENGTH(size)), type});
  bytes_.append(static_cast<const char*>(data), size);
  pad();
}

std::size_t NetlinkBatch::begin_nested(std::uint16_t type) {
  const std::size_t place = bytes_.size();
  append(bytes_, rtattr{0, static_cast<std::uint16_t>(type | NLA_F_NESTED)});
  return place;
}

void NetlinkBatch::end_nested(std::size_t place) {
  const auto size = static_cast<std::uint16_t>(bytes_.size() - place);
  std::memcpy(bytes_.data() + place + offsetof(rtattr, rta_len), &size, sizeof size);
}

Result<std::vector<int>> NetlinkBatch::send() {
  auto socket = open_socket();
  if (!socket) return socket.error();
  for (std::size_t i = 0; i < starts_.size(); ++i) {
    const std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : bytes_.size();
    const auto size = static_cast<std::uint32_t>(end - starts_[i]);
    std::memcpy(bytes_.data() + starts_[i] + offsetof(nlmsghdr, nlmsg_len), &size, sizeof size);
  }
  if (::send(socket->get(), bytes_.data(), bytes_.size(), 0) < 0) return system_error("cannot ask rtnetlink");
  std::vector<int> answers(starts_.size(), 0);
  std::size_t left = answers.size();
  const Status received = receive(socket->get(), [&](const nlmsghdr& message) {
    const std::uint32_t number = message.nlmsg_seq - 1;
    if (message.nlmsg_type != NLMSG_ERROR || number >= answers.size()) return false;
    answers[number] = -static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
    return --left == 0;
  });
  if (!received) return received.error();
  return answers;
}

Status netlink_dump(std::uint16_t type, const void* header, std::size_t size,
                    const std::function<void(const nlmsghdr&)>& each) {
  auto socket = open_socket();
  if (!socket) return socket.error();
  std::string bytes;
  nlmsghdr request{};
  request.nlmsg_len = static_cast<std::uint32_t>(NLMSG_LENGTH(size));
  request.nlmsg_type = type;
  request.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  append(bytes, request);
  bytes.append(static_cast<const char*>(header), size);
  if (::send(socket->get(), bytes.data(), bytes.size(), 0) < 0) return system_error("cannot ask rtnetlink");
  int failure = 0;
  const Status received = receive(socket->get(), [&](const nlmsghdr& message) {
    if (message.nlmsg_type == NLMSG_ERROR)
      failure = -static_cast<const nlmsgerr*>(NLMSG_DATA(&message))->error;
    if (message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE) return true;
    each(message);
    return false;
  });
  if (!received) return received;
  errno = failure;
  return failure ? Status(system_error("rtnetlink refused to list")) : Status();
}

}  // namespace gatehouse::l4
