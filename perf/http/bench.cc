// Launching, loading, and the validity of what came out.
#include "perf/http/bench.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "perf/http/h2_client.h"
#include "perf/http/reading.h"
#include "tests/lab/certificates.h"

namespace gatehouse::perf {
namespace {

constexpr double kQuietShare = 0.06;
constexpr Duration kLookForQuiet{500};
constexpr const char* kName = "bench.example";
constexpr std::size_t kBackends = 8;  // addresses of the one that there is
constexpr std::size_t kOpensAtOnce =
    16;  // buffers of a crowd of handshakes are no memory of idle connections
constexpr Duration kLongestOpening{60'000};

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

std::size_t most_in_flight(const Load& load) {
  return load.in_flight > 0 ? load.in_flight : load.connections * load.streams;
}

// The client verified every answer; here: that the backend gave as many, and how connections were used.
Status check(const Reading& before, const Reading& after, const Load& load) {
  const auto requests = static_cast<double>(after.requests - before.requests);
  const auto seen = static_cast<double>(after.backend_requests - before.backend_requests);
  if (requests < 100 || std::abs(requests - seen) > 2 * static_cast<double>(most_in_flight(load))) {
    return Error{"the client had " + std::to_string(requests) + " answers, the backend gave " +
                 std::to_string(seen)};
  }
  const auto accepted = static_cast<double>(after.accepted - before.accepted);
  const double wanted = load.kind == Load::Kind::kKeepAlive ? 0 : requests;
  if (std::abs(accepted - wanted) > requests / 20 + static_cast<double>(load.connections)) {
    return Error{std::to_string(accepted) + " connections were accepted for " + std::to_string(requests) +
                 " requests"};
  }
  return {};
}

}  // namespace

void stop_on_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { was_stopped = 1; };
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

HttpBench::HttpBench(Options options)
    : options_(std::move(options)),
      backend_(loop_, {.addresses = std::vector(kBackends, *Endpoint::parse("127.0.0.1:0"))}),
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

Result<Window> HttpBench::launch(Proxy proxy, const Load& load, Task task) {
  if (proxy == Proxy::kDirect) return drive(backend_.addresses()[0].port, load, task, {});
  Setup setup{options_.folder + "/launch", free_port(), backend_.addresses()[0].port};
  for (std::size_t i = 1; i < kBackends; ++i) setup.backends.push_back(to_string(backend_.addresses()[i]));
  setup.uses_tls = load.uses_tls;
  setup.is_h2 = load.is_h2;
  setup.is_tcp = load.is_tcp;
  setup.workers = load.kind == Load::Kind::kResumedHandshakes ? 2 : 1;
  setup.in_flight = task == Task::kIdleMemory ? kOpensAtOnce : most_in_flight(load);
  setup.chain = chain_;
  setup.key = key_;
  const auto command = prepare(proxy, setup);
  if (!command) return command.error();
  const auto process = ProxyProcess::start(loop_, *command, setup, options_.folder + "/proxy.pid");
  if (!process) return process.error();
  if (load.uses_tls) {
    if (const Status checked = check_tls(setup.port, load); !checked) return checked.error();
  }
  if (const Status answered = prime(setup.port, load); !answered) return answered.error();
  return drive(setup.port, load, task, (*process)->tree());
}

// A listening socket is no worker yet: only now is the process tree complete, and what is allocated once is
// there.
Status HttpBench::prime(std::uint16_t port, const Load& load) {
  test::LoadOptions options = client_options(port, load);
  options.is_once = true;
  options.is_polled = options.resumes = false;
  options.rate = 0;
  options.in_flight = options.requests_per_connection = 0;
  options.connections = kOpensAtOnce;
  test::LoadClient client(loop_, options);
  if (const Status started = client.start(); !started) return started;
  return wait_for_answers(client, options.connections);
}

Status HttpBench::wait_for_answers(test::LoadClient& client, std::size_t count) {
  const auto deadline = EventLoop::Clock::now() + kLongestOpening;
  while (client.report().ok < count) {
    if (client.report().failed > 0)
      return Error{"requests failed: " + client.report().to_json().at("failures").dump()};
    if (EventLoop::Clock::now() > deadline) return Error{"not all connections were answered in time"};
    if (const Status turned = turn_for(Duration(5), [] {}); !turned) return turned;
  }
  return {};
}

Status HttpBench::check_tls(std::uint16_t port, const Load& load) {
  const std::string_view protocol = load.is_h2 ? "h2" : "http/1.1";
  const auto negotiated = negotiated_tls(port, protocol);
  if (!negotiated) return negotiated.error();
  if (load.is_h2 && negotiated->protocol != protocol) return Error{"does not negotiate HTTP/2"};
  if (tls_.empty()) tls_ = negotiated->cipher;
  if (tls_ == negotiated->cipher) return {};
  return Error{"not the same cipher: " + negotiated->cipher + " and " + tls_};
}

test::LoadOptions HttpBench::client_options(std::uint16_t port, const Load& load) const {
  test::LoadOptions options;
  options.targets = {{*IpAddress::parse("127.0.0.1"), port}};
  options.uses_tls = load.uses_tls;
  options.sni = kName;
  options.ca_file = ca_;
  options.host = kName;
  options.headers = kHeaders;
  options.connections = load.connections;
  options.opens_at_once = kOpensAtOnce;
  options.in_flight = load.in_flight;
  options.rate = load.rate;
  options.is_polled = load.rate > 0 && !options_.sleeps;
  options.requests_per_connection = load.kind == Load::Kind::kKeepAlive ? 0 : 1;
  options.resumes = load.kind == Load::Kind::kResumedHandshakes;
  options.paths = {{"/bytes/" + std::to_string(load.body_bytes)}};
  return options;
}

Result<Window> HttpBench::drive(std::uint16_t port, const Load& load, Task task,
                                const std::vector<pid_t>& proxy) {
  if (const Status waited = wait_for_quiet(); !waited) return waited.error();
  if (task == Task::kIdleMemory) return measure_idle_memory(port, load, proxy);
  if (load.is_h2) {
    H2Client client(loop_, {.target = {*IpAddress::parse("127.0.0.1"), port},
                            .name = kName,
                            .ca_file = ca_,
                            .body_bytes = load.body_bytes,
                            .headers = kHeaders,
                            .connections = load.connections,
                            .streams = load.streams});
    return measure(client, load, task, proxy);
  }
  test::LoadClient client(loop_, client_options(port, load));
  return measure(client, load, task, proxy);
}

template <typename Client>
Result<Window> HttpBench::measure(Client& client, const Load& load, Task task,
                                  const std::vector<pid_t>& proxy) {
  if (const Status started = client.start(); !started) return started.error();
  const auto poll = [&] {
    if (load.rate > 0 && !options_.sleeps) client.poll();
  };
  const auto deadline = EventLoop::Clock::now() + kLongestOpening;
  while (client.report().connections_opened < load.connections && client.report().failed == 0) {
    if (EventLoop::Clock::now() > deadline) return Error{"not all connections were opened in time"};
    if (const Status turned = turn_for(Duration(20), poll); !turned) return turned.error();
  }
  if (const Status warmed = turn_for(options_.warm_up, poll); !warmed) return warmed.error();
  client.report().latencies.clear();
  const auto counters = Counters::start(task, proxy);
  if (!counters) return counters.error();
  const Reading before = Reading::take(client.report(), backend_.requests(), proxy, *counters);
  const Status turned = turn_for(options_.window, poll);
  const Reading after = Reading::take(client.report(), backend_.requests(), proxy, *counters);
  client.abandon();
  if (!turned) return turned.error();
  if (client.report().failed != 0)
    return Error{"requests failed: " + client.report().to_json().at("failures").dump()};
  if (const Status checked = check(before, after, load); !checked) return checked.error();
  return difference(before, after, client.report().latencies);
}

Result<Window> HttpBench::measure_idle_memory(std::uint16_t port, const Load& load,
                                              const std::vector<pid_t>& proxy) {
  const std::uint64_t before = resident_bytes(proxy);
  test::LoadOptions options = client_options(port, load);
  options.is_once = true;
  test::LoadClient client(loop_, options);
  if (const Status started = client.start(); !started) return started.error();
  if (const Status answered = wait_for_answers(client, load.connections); !answered) return answered.error();
  if (const Status settled = turn_for(options_.settle, [] {}); !settled) return settled.error();
  if (client.report().connections_open != load.connections) return Error{"the proxy closed idle connections"};
  Window window;
  window.bytes = static_cast<double>(resident_bytes(proxy) - before) / static_cast<double>(load.connections);
  client.abandon();
  return window;
}

Status HttpBench::turn_for(Duration duration, const std::function<void()>& poll) {
  const auto deadline = EventLoop::Clock::now() + duration;
  while (true) {
    if (was_stopped) return Error{"stopped by a signal"};
    const auto left = std::chrono::ceil<Duration>(deadline - EventLoop::Clock::now());
    if (left.count() <= 0) return {};
    poll();
    loop_.turn(options_.sleeps ? left : Duration(0));
  }
}

// Until the machine has done next to nothing for a moment, but not for ever: what is foreign in a window is
// counted.
Status HttpBench::wait_for_quiet() {
  const auto begin = EventLoop::Clock::now();
  const auto deadline = begin + std::min(options_.longest_wait_for_quiet, options_.patience);
  const double share = std::chrono::duration<double>(kLookForQuiet).count() *
                       static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)) * kQuietShare;
  while (EventLoop::Clock::now() < deadline) {
    const double before = machine_busy_seconds();
    const auto end = EventLoop::Clock::now() + kLookForQuiet;
    while (EventLoop::Clock::now() < end && !was_stopped) loop_.turn(kLookForQuiet);
    if (was_stopped) return Error{"stopped by a signal"};
    if (machine_busy_seconds() - before < share) break;
  }
  const auto waited = std::chrono::floor<Duration>(EventLoop::Clock::now() - begin) - kLookForQuiet;
  options_.patience -= std::max(waited, Duration(0));
  return {};
}

}  // namespace gatehouse::perf
