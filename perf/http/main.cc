// gatehouse-perf-http: what a request, a connection, a MiB costs one worker beside HAProxy and NGINX, every
// launch a fresh process, in alternating order. `perf/run http` calls it.
#include <openssl/ssl.h>
#include <regex.h>
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

constexpr int kRetries = 5;    // of a launch that others disturbed
constexpr int kDiscards = 40;  // such retries in the whole run; then launches only get their mark

struct Settings {
  std::string json;
  std::string cases = ".";  // regular expression over their names
  HttpBench::Options bench;
  int rounds = 0;  // 0: the case's own
  int discards = kDiscards;
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
  for (const std::uint32_t size : {128u, 10u * 1024}) {
    const auto direct = bench.launch(Proxy::kDirect, {.body_bytes = size}, Task::kTime);
    if (!direct) return direct.error();
    std::printf("client and backend alone, %u B: %.2f us per request\n", size, direct->harness_us);
  }
  std::fflush(stdout);
  return {};
}

Result<Window> launch(HttpBench& bench, const Entry& entry, Task task, int& discards) {
  auto window = bench.launch(entry.proxy, entry.load, task);
  for (int retry = 0; window && !window->is_quiet() && retry < kRetries && discards > 0;
       ++retry, --discards) {
    window = bench.launch(entry.proxy, entry.load, task);
  }
  return window;
}

// Rounds in alternating order, so that what drifts on the machine hits all entries alike.
Result<CaseResults> measure(const Settings& settings, HttpBench& bench, const Case& subject, int& discards) {
  CaseResults results(subject);
  const int rounds = settings.rounds > 0 ? settings.rounds : subject.rounds;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < subject.entries.size(); ++i) {
      const std::size_t place = round % 2 == 0 ? i : subject.entries.size() - 1 - i;
      if (results.is_skipped(place)) continue;
      const Entry& entry = subject.entries[place];
      const auto window = launch(bench, entry, subject.task, discards);
      if (window) {
        results.add(place, *window);
      } else if (subject.may_lack_ours && entry.role == Entry::Role::kOurs && round == 0) {
        std::string why = window.error().message;
        std::replace(why.begin(), why.end(), '\n', ' ');
        results.skip(place, why);
      } else {
        return Error{subject.name + ", " + entry.name + ": " + window.error().message};
      }
    }
  }
  return results;
}

Result<std::vector<Case>> selected_cases(const std::string& expression) {
  regex_t pattern;
  if (regcomp(&pattern, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0) {
    return Error{"not a regular expression: " + expression};
  }
  std::vector<Case> cases = all_cases();
  std::erase_if(cases,
                [&](const Case& one) { return regexec(&pattern, one.name.c_str(), 0, nullptr, 0) != 0; });
  regfree(&pattern);
  if (!cases.empty()) return cases;
  std::string names;
  for (const Case& one : all_cases()) names += " " + one.name;
  return Error{"no case matches " + expression + "; there are:" + names};
}

Status run(const Settings& settings) {
  const auto cases = selected_cases(settings.cases);
  if (!cases) return cases.error();
  if (const Status pinned = pin_to_last_cpu(); !pinned) return pinned;
  if (const Status restricted = restrict_tls(settings.bench.folder + "/openssl.cnf"); !restricted)
    return restricted;
  HttpBench bench(settings.bench);
  if (const Status started = bench.start(); !started) return started;
  if (const Status printed = print_machine(bench); !printed) return printed;
  int discards = settings.discards;
  std::vector<CaseResults> all;
  std::vector<Measurement> measurements;
  for (const Case& subject : *cases) {
    const auto results = measure(settings, bench, subject, discards);
    if (!results) return results.error();
    std::printf("%s", results->table().c_str());
    std::fflush(stdout);
    results->append(measurements);
    all.push_back(*results);
  }
  std::printf("%s\nHTTPS: %s, ECDSA P-256 certificate\n", summary(all).c_str(), bench.tls().c_str());
  return settings.json.empty() ? Status() : write_json(settings.json, measurements);
}

void parse(int argc, char** argv, Settings& settings) {
  const auto text = [](std::string& target) {
    return [&target](std::string_view value) {
      target = value;
      return !target.empty();
    };
  };
  const auto be_quick = [&settings](std::string_view) {
    if (settings.rounds == 0) settings.rounds = 1;
    settings.discards = 0;
    settings.bench.warm_up = Duration(200);
    settings.bench.window = Duration(500);
    settings.bench.settle = Duration(500);
    settings.bench.longest_wait_for_quiet = Duration(0);
    return true;
  };
  const auto take_rounds = [&settings](std::string_view value) {
    settings.rounds = std::atoi(std::string(value).c_str());
    return settings.rounds > 0;
  };
  const auto sleep = [&settings](std::string_view) {
    settings.bench.sleeps = true;
    return true;
  };
  test::parse_flags(
      argc, argv,
      {{"--case", "REGEX", "only cases whose name it matches", text(settings.cases)},
       {"--rounds", "N", "launches per entry of a case", take_rounds},
       {"--json", "FILE", "write the figures there", text(settings.json)},
       {"--folder", "FOLDER", "an existing one for temporary files", text(settings.bench.folder)},
       {"--quick", "", "a glance: one short launch each", be_quick},
       {"--sleep", "", "client and backend wait in the kernel instead of spinning", sleep}});
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
