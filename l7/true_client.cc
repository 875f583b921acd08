// Walks X-Forwarded-For from its end: every proxy appends whom it got the request from.
#include "l7/true_client.h"

#include <algorithm>

namespace gatehouse::l7 {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

IpAddress true_client(const IpAddress& peer, const http::Fields& fields, std::span<const IpPrefix> trusted) {
  IpAddress client = peer;
  const auto is_trusted = [trusted](const IpAddress& address) {
    return std::any_of(trusted.begin(), trusted.end(), [&address](const IpPrefix& prefix) { return prefix.contains(address); });
  };
  const std::span<const http::Field> all = fields.all();
  for (std::size_t i = all.size(); i-- > 0;) {
    if (!equals_ignoring_case(all[i].name, "x-forwarded-for")) continue;
    std::string_view list = all[i].value;
    for (bool has_more = true; has_more;) {
      const std::size_t comma = list.rfind(',');
      has_more = comma != std::string_view::npos;
      const auto address = IpAddress::parse(trim(has_more ? list.substr(comma + 1) : list));
      if (!address) return client;
      client = *address;
      if (!is_trusted(client)) return client;
      if (has_more) list = list.substr(0, comma);
    }
  }
  return client;
}

}  // namespace gatehouse::l7
