// SRV records as backends (RFC 2782): those of the best priority get the requests by weight, all others are
// backups.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/config/model_http.h"
#include "l7/discovery/dns_message.h"

namespace gatehouse::l7 {

// By address. The weight of a record is shared by the addresses of its target. Weights are the record's own
// where they can be; where they must be fractions, or there are some of 0 (which is to mean: hardly ever)
// beside others, the largest becomes 10,000 and the rest follows.
std::vector<config::Backend> srv_backends(std::span<const SrvRecord> records,
                                          const std::map<std::string, std::vector<IpAddress>>& addresses);

}  // namespace gatehouse::l7
