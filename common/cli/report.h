// What daemons answer, as text for people: JSON in, lines out. Pure, and tolerant: a daemon of another
// version may leave fields out or add some; what is there is shown.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace gatehouse::cli {

using Json = nlohmann::json;

// The result of "status". With the status of `seconds` earlier, counters are shown as rates per second.
std::string status_report(const Json& status, const Json& earlier = {}, double seconds = 0);

// The result of "explain" and of "explain_packet".
std::string explain_report(const Json& result);
std::string explain_packet_report(const Json& result);

// The result of "reload"; the nodes that refused it are in `refused`, one line each.
struct ReloadReport {
  std::string text;
  std::string refused;
};
ReloadReport reload_report(const Json& result);

// The result of "weight": a route as it is in a status.
std::string arms_report(const Json& route);

std::string format_share(double share, int digits = 1);  // 0.333 is "33.3 %"
std::string format_milliseconds(double milliseconds);      // 3.25 is "3.25", 123.4 is "123"
std::string format_bytes(double bytes);       // 1536 is "1.5 KiB"
std::string format_rate(double each_second);  // 3.25 is "3.2", 1234.5 is "1234"

}  // namespace gatehouse::cli
