// gatehouse-perf-http: CPU per request and requests per second of one worker beside HAProxy and NGINX, every
// launch a fresh process, in alternating order. `perf/run http` calls it.
#include <openssl/ssl.h>
#include <sched.h>
#include <signal.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "perf/http/results.h"
#include "tests/tools/flags.h"

namespace {

using namespace gatehouse;
using namespace gatehouse::perf;

constexpr Load kLoads[] = {{false, 100}, {false, 10'000}, {true, 100}, {true, 10'000}};
constexpr int kRetries = 5;  // of a launch that others disturbed

struct Settings {
  std::string json;
  HttpBench::Options bench;
  int rounds = 7;
  int discards =
      40;  // disturbed launches that may be repeated in the whole run; then they only get their mark
  std::vector<Proxy> proxies = {Proxy::kGatehouse, Proxy::kHaproxy, Proxy::kNginx, Proxy::kHaproxyAgain};
};

// The client offers one version, one cipher and one group, so that every proxy uses them. Only this process
// reads it.
Status restrict_tls(const std::string& file) {
  std::ofstream stream(file);
  stream << "openssl_conf = perf\n[perf]\nssl_conf = ssl\n[ssl]\nsystem_default = tls\n"
         << "[tls]\nMinProtocol = TLSv1.3\nCiphersuites = TLS_AES_128_GCM_SHA256\nGroups = X25519\n";
  stream.close();
  setenv("OPENSSL_CONF", file.c_str(), 1);
  const bool is_ready = OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, nullptr) == 1;
  unsetenv("OPENSSL_CONF");
  return is_ready ? Status() : Status(Error{"OpenSSL refuses " + file});
}

Status pin_to_last_cpu() {
  const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus < 2) return Error{"two CPUs are needed: one for the proxy, one for client and backend"};
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpus - 1), &set);
  return sched_setaffinity(0, sizeof set, &set) == 0 ? Status() : Status(system_error("pinning"));
}

std::string first_line(const lab::Arguments& command) {
  const lab::Output output = lab::run({}, command);
  const std::string text = output.text + output.errors;
  return text.substr(0, text.find('\n'));
}

// What the crypto library can do here, as `openssl speed` says it in its last line.
std::string speed(const lab::Arguments& what) {
  lab::Arguments command = {"openssl", "speed", "-seconds", "1"};
  command.insert(command.end(), what.begin(), what.end());
  const std::string text = lab::run({}, command).text;
  const std::size_t end = text.find_last_not_of('\n');
  return text.substr(text.rfind('\n', end) + 1, end - text.rfind('\n', end));
}

Status print_machine(HttpBench& bench) {
  utsname kernel{};
  uname(&kernel);
  std::string congestion_control;
  std::ifstream("/proc/sys/net/ipv4/tcp_congestion_control") >> congestion_control;
  std::printf("Linux %s, TCP %s, %s\n%s\n%s\n", kernel.release, congestion_control.c_str(),
              OpenSSL_version(OPENSSL_VERSION), first_line({"haproxy", "-v"}).c_str(),
              first_line({"nginx", "-v"}).c_str());
  std::printf("openssl speed, sign/s and verify/s in the last columns: %s\nopenssl speed, 16 kB blocks: %s\n",
              speed({"ecdsap256"}).c_str(), speed({"-bytes", "16384", "-evp", "aes-128-gcm"}).c_str());
  for (const Load& load : {kLoads[0], kLoads[1]}) {
    const auto direct = bench.direct(load);
    if (!direct) return direct.error();
    std::printf("client and backend alone, %s: %.2f us per request\n", to_string(load).c_str(),
                direct->harness_us_per_request);
  }
  std::fflush(stdout);
  return {};
}

Result<Window> launch(HttpBench& bench, Proxy proxy, const Load& load, int& discards) {
  auto window = bench.launch(proxy, load);
  for (int retry = 0; window && !window->is_quiet() && retry < kRetries && discards > 0;
       ++retry, --discards) {
    window = bench.launch(proxy, load);
  }
  return window;
}

Status measure(const Settings& settings, HttpBench& bench, Results& results) {
  int discards = settings.discards;
  for (const Load& load : kLoads) {
    std::vector<Proxy> order = settings.proxies;
    for (int round = 0; round < settings.rounds; ++round) {
      for (const Proxy proxy : order) {
        const auto window = launch(bench, proxy, load, discards);
        if (!window) {
          return Error{to_string(load) + ", " + std::string(to_string(proxy)) + ": " +
                       window.error().message};
        }
        results.add(load, proxy, *window, window->is_quiet());
      }
      std::reverse(order.begin(), order.end());
    }
    std::fprintf(stderr, "%s done\n", to_string(load).c_str());
  }
  return {};
}

Status run(const Settings& settings) {
  if (const Status pinned = pin_to_last_cpu(); !pinned) return pinned;
  if (const Status restricted = restrict_tls(settings.bench.folder + "/openssl.cnf"); !restricted)
    return restricted;
  HttpBench bench(settings.bench);
  if (const Status started = bench.start(); !started) return started;
  if (const Status printed = print_machine(bench); !printed) return printed;
  Results results;
  if (const Status measured = measure(settings, bench, results); !measured) return measured;
  std::printf("HTTPS: %s, ECDSA P-256 certificate\n", bench.tls().c_str());
  results.print();
  return settings.json.empty() ? Status() : write_json(settings.json, results.measurements());
}

void parse(int argc, char** argv, Settings& settings) {
  const auto text = [](std::string& target) {
    return [&target](std::string_view value) {
      target = value;
      return !target.empty();
    };
  };
  const auto be_quick = [&settings](std::string_view) {
    settings.rounds = 2;
    settings.discards = 0;
    settings.bench.window = Duration(1'000);
    settings.bench.longest_wait_for_quiet = Duration(0);
    return true;
  };
  const auto leave_out = [&settings](std::string_view) {
    std::erase(settings.proxies, Proxy::kGatehouse);
    return true;
  };
  test::parse_flags(
      argc, argv,
      {{"--json", "FILE", "write the figures there", text(settings.json)},
       {"--folder", "FOLDER", "an existing one for temporary files", text(settings.bench.folder)},
       {"--quick", "", "a glance: fewer and shorter launches", be_quick},
       {"--peers-only", "", "leave gatehouse-l7 out", leave_out}});
}

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  Settings settings;
  parse(argc, argv, settings);
  if (settings.bench.folder.empty()) {
    std::fprintf(stderr, "%s: --folder is needed (see --help)\n", argv[0]);
    return 2;
  }
  stop_on_signals();
  if (const Status status = run(settings); !status) {
    std::fprintf(stderr, "%s: %s\n", argv[0], status.error().message.c_str());
    return 1;
  }
  return 0;
}
