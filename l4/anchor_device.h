// A network interface that exists as long as a descriptor of it is open: a TUN device that is not persistent.
// The addresses on it say to a BGP daemon what to announce. Each has a lifetime, after which the kernel takes
// it away by itself: whoever holds the descriptor, a daemon that is gone or hangs announces nothing.
//
// The addresses are no addresses of this host: their entries of the kernel's table "local" are removed, so
// that packets to them are routed, and answered by nobody, as they were before. Needs CAP_NET_ADMIN.
#pragma once

#include <string>
#include <vector>

#include "common/address.h"
#include "common/fd.h"
#include "common/result.h"
#include "common/units.h"

namespace gatehouse::l4 {

class AnchorDevice {
 public:
  // Makes the interface `name`. An Error: another process holds it, or it is not a TUN device.
  static Result<AnchorDevice> create(const std::string& name);
  // Takes over one that was created earlier; an Error: `fd` is not that of interface `name`.
  static Result<AnchorDevice> adopt(Fd fd, const std::string& name);

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

  // Those that it has. An Error: the interface is gone.
  Result<std::vector<IpAddress>> addresses() const;
  // Puts them on the interface, or lets those that are there live for `lifetime` from now on; whole seconds. Once more a
  // moment later: the kernel routes an IPv6 address that is new when it gets round to it.
  Status keep(const std::vector<IpAddress>& addresses, Duration lifetime) const;
  Status remove(const std::vector<IpAddress>& addresses) const;

 private:
  AnchorDevice(Fd fd, std::string name, int index)
      : fd_(std::move(fd)), name_(std::move(name)), index_(index) {}
  Status bring_up() const;

  Fd fd_;
  std::string name_;
  int index_;
};

}  // namespace gatehouse::l4
