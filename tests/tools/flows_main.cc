// gatehouse-flows: many flows to one address, each of which asks at a steady pace who serves it
// (gatehouse-echo answers with its name). A flow that gets another name than before has moved; one whose
// connection breaks is broken. Writes the report, whole each time, twice a second and at the end (SIGTERM).
#include <sys/socket.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "common/address.h"
#include "common/hex.h"
#include "common/units.h"
#include "tests/tools/flags.h"
#include "tests/tools/signals.h"

namespace {

using namespace gatehouse;

struct Settings {
  Endpoint target;
  bool is_udp = false;
  int flows = 1;
  int port_base = 0;
  Duration interval{50};
  std::string request = "?\n";
  std::string report_file;
};

class Flow {
 public:
  Flow(EventLoop& loop, const Settings& settings, int number)
      : loop_(loop), settings_(settings), number_(number) {
    open();
  }

  int answers = 0, asked = 0, moves = 0, breaks = 0;
  std::string server;

 private:
  void open() {
    sockaddr_storage storage, own{};
    const socklen_t length = to_sockaddr(settings_.target, storage);
    socket_ = Fd(::socket(storage.ss_family,
                          (settings_.is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    own.ss_family = storage.ss_family;
    if (settings_.port_base) {
      IpAddress any;
      if (settings_.target.address.is_v4()) any = *IpAddress::parse("0.0.0.0");
      const socklen_t own_length =
          to_sockaddr({any, static_cast<std::uint16_t>(settings_.port_base + number_)}, own);
      const int on = 1;
      setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
      (void)!bind(socket_.get(), reinterpret_cast<const sockaddr*>(&own), own_length);
    }
    (void)!connect(socket_.get(), reinterpret_cast<const sockaddr*>(&storage), length);
    watch_.start<&Flow::on_ready>(loop_, socket_.get(), EPOLLIN, this);
    ask_.arm<&Flow::ask>(loop_, Duration(number_ % std::max(1, static_cast<int>(settings_.interval.count()))),
                         this);
  }
  void ask() {
    ask_.arm<&Flow::ask>(loop_, settings_.interval, this);
    asked += send(socket_.get(), settings_.request.data(), settings_.request.size(), MSG_NOSIGNAL) > 0;
  }
  void on_ready(std::uint32_t) {
    char text[2048];
    const ssize_t count = recv(socket_.get(), text, sizeof text, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
      ++breaks;
      watch_.stop();
      ask_.cancel();
      if (settings_.is_udp) open();  // an ICMP error is no end
      return;
    }
    std::string_view rest(text, static_cast<std::size_t>(count));
    for (std::size_t end = rest.find('\n'); end != rest.npos; end = rest.find('\n')) {
      const std::string name(rest.substr(0, end));
      ++answers;
      moves += !server.empty() && server != name;
      server = name;
      rest.remove_prefix(end + 1);
    }
  }

  EventLoop& loop_;
  const Settings& settings_;
  int number_;
  Fd socket_;
  Watch watch_;
  Timer ask_;
};

class Program {
 public:
  Program(EventLoop& loop, const Settings& settings) : loop_(loop), settings_(settings) {
    for (int i = 0; i < settings.flows; ++i) flows_.push_back(std::make_unique<Flow>(loop, settings, i));
    on_renewal();
  }
  void write() {
    nlohmann::json report = {{"flows", flows_.size()}, {"answered", 0}, {"asked", 0},
                             {"answers", 0},           {"moved", 0},    {"broken", 0}};
    std::map<std::string, int> servers;
    for (const auto& flow : flows_) {
      report["answered"] = report["answered"].get<int>() + (flow->answers > 0);
      report["asked"] = report["asked"].get<int>() + flow->asked;
      report["answers"] = report["answers"].get<int>() + flow->answers;
      report["moved"] = report["moved"].get<int>() + (flow->moves > 0);
      report["broken"] = report["broken"].get<int>() + (flow->breaks > 0);
      if (!flow->server.empty()) ++servers[flow->server];
    }
    report["servers"] = servers;
    std::ofstream(settings_.report_file + ".new") << report.dump(1) << "\n";
    if (std::rename((settings_.report_file + ".new").c_str(), settings_.report_file.c_str()) != 0)
      std::perror("report");
  }

 private:
  void on_renewal() {
    write();
    renewal_.arm<&Program::on_renewal>(loop_, Duration(500), this);
  }
  EventLoop& loop_;
  const Settings& settings_;
  std::vector<std::unique_ptr<Flow>> flows_;
  Timer renewal_;
};

bool take_number(std::string_view text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  test::parse_flags(argc, argv,
                    {{"--connect", "ADDR:PORT", "where to",
                      [&](std::string_view text) {
                        const auto endpoint = Endpoint::parse(text);
                        if (endpoint) settings.target = *endpoint;
                        return endpoint.has_value();
                      }},
                     {"--udp", "", "datagrams instead of connections",
                      [&](std::string_view) {
                        settings.is_udp = true;
                        return true;
                      }},
                     {"--flows", "N", "how many (1)",
                      [&](std::string_view text) { return take_number(text, settings.flows); }},
                     {"--port-base", "PORT", "the n-th flow is from port PORT + n",
                      [&](std::string_view text) { return take_number(text, settings.port_base); }},
                     {"--interval", "DURATION", "between two questions of a flow (50ms)",
                      [&](std::string_view text) {
                        const auto interval = parse_duration(text);
                        if (interval) settings.interval = *interval;
                        return interval.has_value();
                      }},
                     {"--request-hex", "HEX", "what a datagram says, instead of a question mark",
                      [&](std::string_view text) {
                        const auto bytes = parse_hex(text);
                        if (bytes) settings.request.assign(bytes->begin(), bytes->end());
                        return bytes.has_value();
                      }},
                     {"--report", "FILE", "JSON", [&](std::string_view text) {
                        settings.report_file = text;
                        return !settings.report_file.empty();
                      }}});
  if (settings.report_file.empty() || settings.target.port == 0) {
    std::fprintf(stderr, "%s: --connect and --report are needed (see --help)\n", argv[0]);
    return 2;
  }
  EventLoop loop;
  Program program(loop, settings);
  test::Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
  loop.run();
  program.write();
  return 0;
}
