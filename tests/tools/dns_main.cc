// gatehouse-dns: a DNS server on UDP whose zone is a file, read anew for each question:
//
//   A NAME ADDRESS TTL                          AAAA too
//   SRV NAME PRIORITY WEIGHT PORT TARGET TTL
//
// Prints "listening" once it is ready; SIGTERM ends it.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "tests/support/dns_server.h"
#include "tests/tools/flags.h"
#include "tests/tools/signals.h"

namespace {

using namespace gatehouse;

void read_zone(const std::string& file, test::DnsServer& server) {
  std::map<std::string, std::pair<std::vector<std::string>, std::uint32_t>> addresses;
  std::map<std::string, std::pair<std::vector<test::DnsServer::Service>, std::uint32_t>> services;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string kind, name, address;
    test::DnsServer::Service service{};
    words >> kind >> name;
    if (kind == "SRV") {
      auto& [list, ttl] = services[name];
      words >> service.priority >> service.weight >> service.port >> service.target >> ttl;
      list.push_back(service);
    } else {
      auto& [list, ttl] = addresses[name];
      words >> address >> ttl;
      list.push_back(address);
    }
  }
  server.clear();
  for (const auto& [name, entry] : addresses) server.set(name, entry.first, entry.second);
  for (const auto& [name, entry] : services) server.set_services(name, entry.first, entry.second);
}

}  // namespace

int main(int argc, char** argv) {
  Endpoint address;
  std::string zone;
  test::parse_flags(argc, argv,
                    {{"--listen", "ADDR:PORT", "answer questions there",
                      [&](std::string_view text) {
                        const auto endpoint = Endpoint::parse(text);
                        if (endpoint) address = *endpoint;
                        return endpoint.has_value();
                      }},
                     {"--zone", "FILE", "what it answers", [&](std::string_view text) {
                        zone = text;
                        return !zone.empty();
                      }}});
  EventLoop loop;
  test::DnsServer server(loop, address);
  server.set_on_question([&] { read_zone(zone, server); });
  test::Signals signals(loop, {SIGTERM, SIGINT}, [&](int) { loop.stop(); });
  std::printf("listening\n");
  std::fflush(stdout);
  loop.run();
  return 0;
}
