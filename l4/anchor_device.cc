// The TUN device by /dev/net/tun, its state and addresses by rtnetlink.
#include "l4/anchor_device.h"

#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "l4/route_netlink.h"

namespace gatehouse::l4 {
namespace {

// Answers of a batch must fit a socket's buffer.
constexpr std::size_t kBatch = 64;

struct Octets {
  const std::uint8_t* data;
  std::size_t size;
};
Octets octets_of(const IpAddress& address) {
  return address.is_v4() ? Octets{address.bytes.data() + 12, 4} : Octets{address.bytes.data(), 16};
}
int family_of(const IpAddress& address) { return address.is_v4() ? AF_INET : AF_INET6; }

void add_address(NetlinkBatch& batch, std::uint16_t type, std::uint16_t flags, int index,
                 const IpAddress& address, std::uint32_t seconds) {
  const Octets octets = octets_of(address);
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(family_of(address));
  header.ifa_prefixlen = static_cast<std::uint8_t>(octets.size * 8);
  // Neither must a packet of this host ever have one of them as its source.
  header.ifa_scope = address.is_v4() ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
  header.ifa_index = static_cast<std::uint32_t>(index);
  batch.begin(type, flags, &header, sizeof header);
  batch.attribute(IFA_LOCAL, octets.data, octets.size);
  batch.attribute(IFA_ADDRESS, octets.data, octets.size);
  if (seconds == 0) return;
  const std::uint32_t address_flags = IFA_F_NOPREFIXROUTE | (address.is_v4() ? 0 : IFA_F_NODAD);
  batch.attribute(IFA_FLAGS, &address_flags, sizeof address_flags);
  ifa_cacheinfo lifetime{};
  lifetime.ifa_valid = seconds;
  lifetime.ifa_prefered = address.is_v4() ? seconds : 0;
  batch.attribute(IFA_CACHEINFO, &lifetime, sizeof lifetime);
}

void add_unroute(NetlinkBatch& batch, int index, const IpAddress& address) {
  const Octets octets = octets_of(address);
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(family_of(address));
  header.rtm_dst_len = static_cast<std::uint8_t>(octets.size * 8);
  header.rtm_table = RT_TABLE_LOCAL;
  header.rtm_scope = RT_SCOPE_NOWHERE;
  header.rtm_type = RTN_LOCAL;
  batch.begin(RTM_DELROUTE, 0, &header, sizeof header);
  batch.attribute(RTA_DST, octets.data, octets.size);
  batch.attribute(RTA_OIF, &index, sizeof index);
}

// The first errno of a batch that is not `harmless`; `stride` of its requests are about one address.
Status check(NetlinkBatch& batch, const std::string& what, int harmless, std::size_t stride = 1) {
  const auto answers = batch.send();
  if (!answers) return answers.error();
  for (std::size_t i = 0; i < answers->size(); ++i) {
    const bool is_unroute = i % stride != 0;
    if ((*answers)[i] == 0 || (*answers)[i] == harmless || (is_unroute && (*answers)[i] == ESRCH)) continue;
    errno = (*answers)[i];
    return system_error(what);
  }
  return {};
}

template <typename Task>
Status in_batches(const std::vector<IpAddress>& addresses, Task task) {
  for (std::size_t done = 0; done < addresses.size(); done += kBatch) {
    const std::size_t end = std::min(addresses.size(), done + kBatch);
    if (Status status = task(done, end); !status) return status;
  }
  return {};
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  return request;
}

}  // namespace

Result<AnchorDevice> AnchorDevice::create(const std::string& name) {
  Fd fd(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!fd.is_open()) return system_error("cannot open /dev/net/tun");
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) return system_error("cannot make the interface " + name);
  return adopt(std::move(fd), name);
}

Result<AnchorDevice> AnchorDevice::adopt(Fd fd, const std::string& name) {
  ifreq request{};
  if (ioctl(fd.get(), TUNGETIFF, &request) != 0)
    return system_error("cannot take over the interface " + name);
  if (name != request.ifr_name)
    return Error{"cannot take over the interface " + name + ": it is called " + request.ifr_name};
  const auto index = static_cast<int>(if_nametoindex(name.c_str()));
  if (index == 0) return system_error("cannot find the interface " + name);
  AnchorDevice device(std::move(fd), name, index);
  if (Status up = device.bring_up(); !up) return up.error();
  return device;
}

// Without an address of its own: the kernel would make a link-local one.
Status AnchorDevice::bring_up() const {
  NetlinkBatch batch;
  ifinfomsg header{};
  header.ifi_index = index_;
  batch.begin(RTM_NEWLINK, 0, &header, sizeof header);
  const std::size_t families = batch.begin_nested(IFLA_AF_SPEC);
  const std::size_t family = batch.begin_nested(AF_INET6);
  const std::uint8_t mode = IN6_ADDR_GEN_MODE_NONE;
  batch.attribute(IFLA_INET6_ADDR_GEN_MODE, &mode, sizeof mode);
  batch.end_nested(family);
  batch.end_nested(families);
  // Where IPv6 is turned off there is nothing to forbid.
  if (Status forbidden = check(batch, "cannot set up " + name_, EAFNOSUPPORT); !forbidden) return forbidden;
  NetlinkBatch up;
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  up.begin(RTM_NEWLINK, 0, &header, sizeof header);
  return check(up, "cannot bring " + name_ + " up", 0);
}

Result<std::vector<IpAddress>> AnchorDevice::addresses() const {
  std::vector<IpAddress> addresses;
  ifaddrmsg header{};
  const Status listed = netlink_dump(RTM_GETADDR, &header, sizeof header, [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWADDR) return;
    const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&message));
    if (static_cast<int>(info->ifa_index) != index_) return;
    auto left = static_cast<int>(message.nlmsg_len - NLMSG_LENGTH(sizeof *info));
    for (const rtattr* each = IFA_RTA(info); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
      if (each->rta_type != IFA_ADDRESS) continue;
      IpAddress address;
      if (info->ifa_family == AF_INET) {
        std::uint8_t octets[4];
        std::memcpy(octets, RTA_DATA(each), sizeof octets);
        address = IpAddress::from_v4(octets);
      } else {
        std::memcpy(address.bytes.data(), RTA_DATA(each), address.bytes.size());
      }
      addresses.push_back(address);
    }
  });
  if (!listed) return listed.error();
  char name[IF_NAMESIZE];
  if (!if_indextoname(static_cast<unsigned>(index_), name)) return system_error("interface " + name_);
  return addresses;
}

Status AnchorDevice::keep(const std::vector<IpAddress>& addresses, Duration lifetime) const {
  const auto seconds = static_cast<std::uint32_t>((lifetime.count() + 999) / 1000);
  if (Status up = bring_up(); !up) return up;  // somebody may have taken it down
  return in_batches(addresses, [&](std::size_t begin, std::size_t end) {
    NetlinkBatch batch;
    for (std::size_t i = begin; i < end; ++i) {
      add_address(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, index_, addresses[i], seconds);
      add_unroute(batch, index_, addresses[i]);
    }
    return check(batch, "cannot put addresses on " + name_, 0, 2);
  });
}

Status AnchorDevice::remove(const std::vector<IpAddress>& addresses) const {
  return in_batches(addresses, [&](std::size_t begin, std::size_t end) {
    NetlinkBatch batch;
    for (std::size_t i = begin; i < end; ++i) add_address(batch, RTM_DELADDR, 0, index_, addresses[i], 0);
    return check(batch, "cannot take addresses off " + name_, EADDRNOTAVAIL);
  });
}

}  // namespace gatehouse::l4
