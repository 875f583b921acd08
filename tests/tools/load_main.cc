// gatehouse-load: tests/support/load_client.h as a program. SIGTERM or --duration ends it: nothing more is
// begun, what is in flight gets --grace to finish, and the report is written. With --report the file is also
// renewed twice a second, whole each time, so that a test can watch. Exit code: 0 without a failed request, 1
// with one.
#include <charconv>
#include <cstdio>
#include <fstream>

#include "tests/support/load_client.h"
#include "tests/tools/flags.h"
#include "tests/tools/signals.h"

namespace {

using namespace gatehouse;

struct Settings {
  test::LoadOptions load;
  std::string report_file;
  Duration duration{0};
  Duration grace{2'000};
};

template <typename Number>
bool take_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool take_duration(std::string_view text, Duration& duration) {
  const auto parsed = parse_duration(text);
  if (parsed) duration = *parsed;
  return parsed.has_value();
}

bool take_path(std::string_view text, std::vector<test::LoadOptions::Path>& paths) {
  const std::size_t space = text.find(' ');
  test::LoadOptions::Path path{std::string(text.substr(0, space))};
  if (space != std::string_view::npos && !take_number(text.substr(space + 1), path.weight)) return false;
  paths.push_back(path);
  return path.path.starts_with('/');
}

template <typename Value>
auto append_to(std::vector<Value>& values) {
  return [&values](std::string_view text) {
    const auto value = Value::parse(text);
    if (value) values.push_back(*value);
    return value.has_value();
  };
}

auto into(std::string& target) {
  return [&target](std::string_view text) {
    target = text;
    return true;
  };
}

template <typename Number>
auto into(Number& target) {
  return [&target](std::string_view text) { return take_number(text, target); };
}

auto set(bool& target, bool value) {
  return [&target, value](std::string_view) {
    target = value;
    return true;
  };
}

std::vector<test::Flag> flags(Settings& settings) {
  test::LoadOptions& load = settings.load;
  return {
      {"--connect", "ADDR:PORT", "where to connect; repeatable, taken in turn", append_to(load.targets)},
      {"--tls", "", "speak TLS", set(load.uses_tls, true)},
      {"--sni", "NAME", "server name, checked against the certificate", into(load.sni)},
      {"--ca", "FILE", "trust these certificates; default: the system's", into(load.ca_file)},
      {"--insecure", "", "verify nothing", set(load.verifies, false)},
      {"--connections", "N", "keep-alive connections (1)", into(load.connections)},
      {"--rate", "R", "requests per second over all of them; 0: as fast as answers come (0)",
       into(load.rate)},
      {"--new-rate", "N", "besides, new connections of one request each, per second (0)",
       into(load.new_rate)},
      {"--requests", "N", "end after N requests", into(load.requests)},
      {"--requests-per-connection", "N", "then close the connection and open another",
       into(load.requests_per_connection)},
      {"--path", "'PATH [N]'", "what to request, N times as often as others; repeatable (/)",
       [&](std::string_view text) { return take_path(text, load.paths); }},
      {"--host", "NAME", "the Host field (localhost)", into(load.host)},
      {"--header", "'NAME: V'", "one more field; repeatable",
       [&](std::string_view text) {
         load.headers.emplace_back(text);
         return text.find(':') != std::string_view::npos;
       }},
      {"--expect-status", "N", "the only right status; default: any 2xx", into(load.expected_status)},
      {"--read-rate", "BYTES", "per second and connection: a slow reader", into(load.read_rate)},
      {"--timeout", "DURATION", "a request without any progress fails (10s)",
       [&](std::string_view text) { return take_duration(text, load.timeout); }},
      {"--source", "ADDR", "connect from this address; repeatable, taken in turn", append_to(load.sources)},
      {"--source-port-base", "PORT", "the n-th connection is from port PORT + n",
       into(load.source_port_base)},
      {"--duration", "DURATION", "end after this; default: at SIGTERM",
       [&](std::string_view text) { return take_duration(text, settings.duration); }},
      {"--grace", "DURATION", "at the end, for what is in flight (2s)",
       [&](std::string_view text) { return take_duration(text, settings.grace); }},
      {"--report", "FILE", "JSON; default: standard output, at the end", into(settings.report_file)},
  };
}

// Owns what the program's end needs.
class Program {
 public:
  Program(EventLoop& loop, Settings settings)
      : loop_(loop), settings_(std::move(settings)), client_(loop, settings_.load) {}

  Status start() {
    if (Status started = client_.start([this] { loop_.stop(); }); !started) return started;
    if (settings_.duration.count() > 0) end_.arm<&Program::stop>(loop_, settings_.duration, this);
    if (!settings_.report_file.empty()) on_renewal();
    return {};
  }
  void stop() {
    client_.stop();
    end_.arm<&Program::on_grace_over>(loop_, settings_.grace, this);
  }
  int finish() {
    client_.abandon();
    write_report();
    return client_.report().failed == 0 ? 0 : 1;
  }

 private:
  void on_grace_over() { loop_.stop(); }
  void on_renewal() {
    write_report();
    renewal_.arm<&Program::on_renewal>(loop_, Duration(500), this);
  }
  void write_report() {
    const std::string text =
        client_.report().to_json().dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    const std::string& file = settings_.report_file;
    if (file.empty()) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return;
    }
    std::ofstream(file + ".new") << text;
    if (std::rename((file + ".new").c_str(), file.c_str()) != 0) std::perror(file.c_str());
  }

  EventLoop& loop_;
  Settings settings_;
  test::LoadClient client_;
  Timer end_;
  Timer renewal_;
};

}  // namespace

int main(int argc, char** argv) {
  // OpenSSL writes to sockets without MSG_NOSIGNAL.
  signal(SIGPIPE, SIG_IGN);
  Settings settings;
  test::parse_flags(argc, argv, flags(settings));
  EventLoop loop;
  Program program(loop, std::move(settings));
  test::Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { program.stop(); });
  if (const Status started = program.start(); !started) {
    std::fprintf(stderr, "%s: %s\n", argv[0], started.error().message.c_str());
    return 2;
  }
  loop.run();
  return program.finish();
}
