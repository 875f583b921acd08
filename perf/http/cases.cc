#include "perf/http/cases.h"

namespace gatehouse::perf {
namespace {

using Role = Entry::Role;
using Kind = Load::Kind;
using Demand = Figure::Demand;
constexpr std::size_t kManyConnections = 8'000;  // the limit of open files forbids 10,000 on either side
constexpr std::size_t kFewInFlight = 16;
constexpr std::uint32_t kMebibyte = 1 << 20;
constexpr int kFewRounds = 5, kCountRounds = 2;  // counts hardly vary

std::vector<Entry> beside_peers(const Load& load) {
  return {{"gatehouse-l7", Role::kOurs, Proxy::kGatehouse, load},
          {"HAProxy", Role::kPeer, Proxy::kHaproxy, load},
          {"NGINX", Role::kPeer, Proxy::kNginx, load},
          {"HAProxy again", Role::kControl, Proxy::kHaproxy, load}};
}

std::vector<Entry> with(std::vector<Entry> entries, Entry another) {
  entries.push_back(std::move(another));
  return entries;
}

std::vector<Entry> beside_floor(Load load) {
  Load floor = load;
  floor.is_tcp = true;
  return with(beside_peers(load), {"floor", Role::kFloor, Proxy::kFloor, floor});
}

Figure cpu(double must, double goal) {
  return {"CPU", "us/request", &Window::cpu_us, Demand::kRatio, must, goal};
}

void add_requests(std::vector<Case>& cases) {
  const Load clear;
  const Load tls{.uses_tls = true};
  const Load h2{.uses_tls = true, .is_h2 = true, .connections = 8, .streams = 32};
  const Load tcp{.is_tcp = true};
  const auto large = [](Load load) {
    load.body_bytes = 10 * 1024;
    return load;
  };
  cases.push_back({"h1-128", "HTTP/1.1, 128 B", Task::kTime, {cpu(0.95, 0.85)}, beside_floor(clear)});
  cases.push_back({"h1-10k", "HTTP/1.1, 10 KiB", Task::kTime, {cpu(0.95, 0.85)}, beside_peers(large(clear))});
  cases.push_back({"h1-tls-128", "HTTPS HTTP/1.1, 128 B", Task::kTime, {cpu(0.95, 0.85)}, beside_peers(tls)});
  cases.push_back(
      {"h1-tls-10k", "HTTPS HTTP/1.1, 10 KiB", Task::kTime, {cpu(0.95, 0.85)}, beside_peers(large(tls))});
  cases.push_back({"h2-128",
                   "HTTPS HTTP/2, 8 connections of 32 streams, 128 B",
                   Task::kTime,
                   {cpu(0.95, 0.85)},
                   beside_peers(h2)});
  cases.push_back({"h2-10k",
                   "HTTPS HTTP/2, 8 connections of 32 streams, 10 KiB",
                   Task::kTime,
                   {cpu(0.95, 0.85)},
                   beside_peers(large(h2))});
  cases.push_back({"tcp-128", "TCP relay, 128 B", Task::kTime, {cpu(0.95, 0.9)}, beside_floor(tcp)});
  for (std::size_t i = cases.size() - 3; i < cases.size(); ++i) cases[i].may_lack_ours = true;
}

// An answer of 1 MiB: per request is per MiB.
void add_bulk(std::vector<Case>& cases) {
  const auto figure = [](double must, double goal) {
    return Figure{"CPU", "us/MiB", &Window::cpu_us, Demand::kRatio, must, goal};
  };
  const Load clear{.body_bytes = kMebibyte, .connections = 16};
  const Load tls{.uses_tls = true, .body_bytes = kMebibyte, .connections = 16};
  cases.push_back({"bulk", "HTTP/1.1, 1 MiB", Task::kTime, {figure(0.65, 0)}, beside_peers(clear)});
  cases.push_back({"bulk-tls", "HTTPS HTTP/1.1, 1 MiB", Task::kTime, {figure(0.9, 0)}, beside_peers(tls)});
}

// The client has more work with a handshake than the proxy: the proxy is not saturated.
void add_handshakes(std::vector<Case>& cases) {
  const auto figures = [](double must) {
    return std::vector<Figure>{{"CPU", "us/connection", &Window::cpu_us, Demand::kRatio, must, 0},
                               {"resumed", "share", &Window::resumed_share}};
  };
  const Load full{.kind = Kind::kFullHandshakes, .uses_tls = true, .connections = 32};
  const Load resumed{.kind = Kind::kResumedHandshakes, .uses_tls = true, .connections = 32};
  cases.push_back({"handshake", "connection with full ECDSA handshake and one request", Task::kTime,
                   figures(0.85), beside_peers(full), false});
  cases.push_back({"resumed", "connection that resumes a session (gatehouse-l7: 2 workers), one request",
                   Task::kTime, figures(0.85), beside_peers(resumed), false});
}

void add_rates(std::vector<Case>& cases) {
  const Load steady{.rate = 40'000}, slow{.rate = 10'000};
  const std::vector<Figure> figures = {
      cpu(0.95, 0), {"p50", "us", &Window::p50_us, Demand::kDifference, 10}, {"p99", "us", &Window::p99_us}};
  cases.push_back({"rate-40k", "HTTP/1.1, 128 B, 40,000 requests/s offered", Task::kTime, figures,
                   beside_floor(steady), false, kFewRounds});
  cases.push_back({"rate-10k", "HTTP/1.1, 128 B, 10,000 requests/s offered", Task::kTime, figures,
                   with(beside_peers(slow), {"direct", Role::kOther, Proxy::kDirect, slow}), false,
                   kFewRounds});
}

void add_counts(std::vector<Case>& cases) {
  const auto figures = [](double must, double goal) {
    return std::vector<Figure>{{"system calls", "/request", &Window::syscalls,
                                must > 0 ? Demand::kValue : Demand::kNone, must, goal},
                               {"epoll_wait", "/request", &Window::waits},
                               {"context switches", "/request", &Window::switches}};
  };
  const Load saturated, slow{.rate = 2'000};
  cases.push_back({"syscalls", "HTTP/1.1, 128 B, saturated", Task::kSyscalls, figures(4.2, 4.0),
                   beside_floor(saturated), true, kCountRounds});
  cases.push_back({"syscalls-tls", "HTTPS HTTP/1.1, 128 B, saturated", Task::kSyscalls, figures(0, 0),
                   beside_peers({.uses_tls = true}), true, kCountRounds});
  cases.push_back({"syscalls-2k", "HTTP/1.1, 128 B, 2,000 requests/s offered", Task::kSyscalls, figures(7, 6),
                   beside_floor(slow), false, kCountRounds});
  const Load idle{.connections = kManyConnections};
  Load idle_tls = idle;
  idle_tls.uses_tls = true;
  const auto bytes = [](double must, double goal) {
    return std::vector<Figure>{{"RSS", "B/connection", &Window::bytes, Demand::kValue, must, goal}};
  };
  cases.push_back({"memory", "8,000 idle connections", Task::kIdleMemory, bytes(900, 600), beside_peers(idle),
                   false, kCountRounds});
  cases.push_back({"memory-tls", "8,000 idle TLS connections", Task::kIdleMemory, bytes(13'000, 10'000),
                   beside_peers(idle_tls), false, kCountRounds});
  for (std::size_t i = cases.size() - 2; i < cases.size(); ++i) cases[i].entries.pop_back();
}

// Ours against itself: the second entry is what the first is divided by.
void add_growth(std::vector<Case>& cases) {
  const Load few{.connections = kFewInFlight, .in_flight = kFewInFlight};
  const Load many{.connections = kManyConnections, .in_flight = kFewInFlight};
  Case growth{"growth",
              "HTTP/1.1, 128 B, 16 requests in flight over 8,000 or 16 open connections in turn",
              Task::kTime,
              {cpu(1.2, 1.1)},
              {}};
  growth.entries = {{"gatehouse-l7, 8,000", Role::kOurs, Proxy::kGatehouse, many},
                    {"gatehouse-l7, 16", Role::kPeer, Proxy::kGatehouse, few},
                    {"HAProxy, 8,000", Role::kOther, Proxy::kHaproxy, many},
                    {"HAProxy, 16", Role::kOther, Proxy::kHaproxy, few},
                    {"NGINX, 8,000", Role::kOther, Proxy::kNginx, many},
                    {"NGINX, 16", Role::kOther, Proxy::kNginx, few}};
  growth.rounds = kFewRounds;
  cases.push_back(growth);
  Case full{"features",
            "HTTP/1.1, 128 B, access log, health checks and 1,000 routes on or off",
            Task::kTime,
            {cpu(1.12, 1.06)},
            {}};
  full.entries = {{"gatehouse-l7, on", Role::kOurs, Proxy::kGatehouseFull, Load()},
                  {"gatehouse-l7, off", Role::kPeer, Proxy::kGatehouse, Load()},
                  {"off again", Role::kControl, Proxy::kGatehouse, Load()}};
  cases.push_back(full);
  Case decisions{"decisions",
                 "HTTP/1.1, 128 B, 1,000 routes, eight backends by least-request, limits, retries and "
                 "ejection, or one of all",
                 Task::kTime,
                 {cpu(1.05, 1.02)},
                 {}};
  decisions.entries = full.entries;
  decisions.entries[0] = {"gatehouse-l7, decides", Role::kOurs, Proxy::kGatehouseDeciding, Load()};
  decisions.entries[1].name = "gatehouse-l7, one way";
  decisions.entries[2].name = "one way again";
  cases.push_back(decisions);
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_requests(cases);
  add_handshakes(cases);
  add_bulk(cases);
  add_counts(cases);
  add_growth(cases);
  add_rates(cases);
  return cases;
}

}  // namespace gatehouse::perf
