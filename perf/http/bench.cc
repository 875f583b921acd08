// The window and its validity.
#include "perf/http/bench.h"

#include <signal.h>
#include <unistd.h>

#include <cmath>

#include "perf/http/process_tree.h"
#include "tests/lab/certificates.h"

namespace gatehouse::perf {
namespace {

constexpr std::size_t kConnections = 64;
constexpr double kQuietShare = 0.06;
constexpr const char* kName = "bench.example";

// A browser's request head is some four hundred bytes.
const std::vector<std::string> kHeaders = {
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3",
    "Accept-Encoding: gzip, deflate, br",
    "Cookie: session=6f1d0f2b9c8e4a57b3a1c2d4e5f60718; theme=dark",
    "Referer: https://bench.example/start",
    "Cache-Control: no-cache",
};

volatile sig_atomic_t was_stopped = 0;

}  // namespace

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { was_stopped = 1; };
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

std::string to_string(const Load& load) {
  const std::string size = load.body_bytes < 1000 ? std::to_string(load.body_bytes) + " B"
                                                  : std::to_string(load.body_bytes / 1000) + " kB";
  return std::string(load.uses_tls ? "HTTPS " : "HTTP ") + size;
}

struct HttpBench::Reading {
  EventLoop::Clock::time_point time = EventLoop::Clock::now();
  std::uint64_t requests = 0;
  std::uint64_t backend_requests = 0;
  std::uint64_t accepted = accepted_connections();
  double proxy = 0;
  double harness = own_cpu_seconds();
  double machine = machine_busy_seconds();
};

HttpBench::HttpBench(Options options)
    : options_(std::move(options)),
      backend_(loop_, {.addresses = {*Endpoint::parse("127.0.0.1:0")}}),
      chain_(options_.folder + "/chain.pem"),
      key_(options_.folder + "/key.pem"),
      ca_(options_.folder + "/ca.pem") {}

HttpBench::~HttpBench() = default;

Status HttpBench::start() {
  const lab::CertificateAuthority authority("bench");
  if (Status written = authority.write_certificate(ca_); !written) return written;
  if (Status issued = authority.issue(kName, {kName}, {}, {chain_, key_}); !issued) return issued;
  return backend_.start();
}

Result<Window> HttpBench::launch(Proxy proxy, const Load& load) {
  const Setup setup{
      options_.folder + "/launch", free_port(), backend_.addresses()[0].port, load.uses_tls, chain_, key_};
  const auto command = prepare(proxy, setup);
  if (!command) return command.error();
  const auto process = ProxyProcess::start(loop_, *command, setup, options_.folder + "/proxy.pid");
  if (!process) return process.error();
  if (load.uses_tls) {
    if (const Status checked = check_tls(setup.port); !checked) return checked.error();
  }
  return measure(setup.port, load, (*process)->tree());
}

Result<Window> HttpBench::direct(const Load& load) {
  return measure(backend_.addresses()[0].port, {false, load.body_bytes}, {});
}

Status HttpBench::check_tls(std::uint16_t port) {
  const auto negotiated = negotiated_tls(port);
  if (!negotiated) return negotiated.error();
  if (tls_.empty()) tls_ = *negotiated;
  return tls_ == *negotiated ? Status()
                             : Status(Error{"not the same cipher: " + *negotiated + " and " + tls_});
}

test::LoadOptions HttpBench::client_options(std::uint16_t port, const Load& load) const {
  test::LoadOptions options;
  options.targets = {{*IpAddress::parse("127.0.0.1"), port}};
  options.uses_tls = load.uses_tls;
  options.sni = kName;
  options.ca_file = ca_;
  options.host = kName;
  options.headers = kHeaders;
  options.connections = kConnections;
  options.paths = {{"/bytes/" + std::to_string(load.body_bytes)}};
  return options;
}

HttpBench::Reading HttpBench::read(test::LoadClient& client, const std::vector<pid_t>& proxy) const {
  Reading reading;
  reading.requests = client.report().ok;
  reading.backend_requests = backend_.requests();
  reading.proxy = cpu_seconds(proxy);
  return reading;
}

Result<Window> HttpBench::measure(std::uint16_t port, const Load& load, const std::vector<pid_t>& proxy) {
  if (const Status waited = wait_for_quiet(); !waited) return waited.error();
  test::LoadClient client(loop_, client_options(port, load));
  if (const Status started = client.start([] {}); !started) return started.error();
  if (const Status warmed = turn_for(options_.warm_up); !warmed) return warmed.error();
  const Reading before = read(client, proxy);
  const Status turned = turn_for(options_.window);
  const Reading after = read(client, proxy);
  client.abandon();
  if (!turned) return turned.error();
  if (client.report().failed != 0)
    return Error{"requests failed: " + client.report().to_json().at("failures").dump()};

  const auto requests = static_cast<double>(after.requests - before.requests);
  const auto seen = static_cast<double>(after.backend_requests - before.backend_requests);
  if (requests < 1000 || std::abs(requests - seen) > 2 * kConnections) {
    return Error{"the client had " + std::to_string(requests) + " answers, the backend gave " +
                 std::to_string(seen)};
  }
  if (static_cast<double>(after.accepted - before.accepted) > requests / 100) {
    return Error{"connections are not kept alive: " + std::to_string(after.accepted - before.accepted) +
                 " new ones"};
  }
  const double seconds = std::chrono::duration<double>(after.time - before.time).count();
  Window window;
  window.cpu_us_per_request = (after.proxy - before.proxy) * 1e6 / requests;
  window.harness_us_per_request = (after.harness - before.harness) * 1e6 / requests;
  window.requests_per_second = requests / seconds;
  window.proxy_cores = (after.proxy - before.proxy) / seconds;
  window.harness_cores = (after.harness - before.harness) / seconds;
  window.foreign_cores =
      (after.machine - before.machine) / seconds - window.proxy_cores - window.harness_cores;
  return window;
}

Status HttpBench::turn_for(Duration duration) {
  const auto deadline = EventLoop::Clock::now() + duration;
  while (true) {
    if (was_stopped) return Error{"stopped by a signal"};
    const auto left = std::chrono::ceil<Duration>(deadline - EventLoop::Clock::now());
    if (left.count() <= 0) return {};
    loop_.turn(left);
  }
}

// Until the machine has done next to nothing for a second, but not for ever: what is foreign in a window is
// counted.
Status HttpBench::wait_for_quiet() {
  const auto deadline = EventLoop::Clock::now() + options_.longest_wait_for_quiet;
  while (EventLoop::Clock::now() < deadline) {
    const double before = machine_busy_seconds();
    if (const Status turned = turn_for(Duration(1'000)); !turned) return turned;
    if (machine_busy_seconds() - before < kQuietShare * static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)))
      return {};
  }
  return {};
}

}  // namespace gatehouse::perf
