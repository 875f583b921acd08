// gatehouse-backend: tests/support/http_server.h as a program. Prints "listening on ADDR:PORT" for every
// address once it is ready. SIGUSR1 makes /healthz fail, and again makes it pass; SIGTERM ends the program.
#include <cstdio>

#include "tests/support/http_server.h"
#include "tests/tools/flags.h"
#include "tests/tools/signals.h"

int main(int argc, char** argv) {
  using namespace gatehouse;
  test::HttpServerOptions options;
  test::parse_flags(
      argc, argv,
      {{"--listen", "ADDR:PORT", "an address to listen on; repeatable",
        [&](std::string_view text) {
          const auto address = Endpoint::parse(text);
          if (address) options.addresses.push_back(*address);
          return address.has_value();
        }},
       {"--name", "NAME", "what the X-Backend field of every answer says",
        [&](std::string_view text) {
          options.name = text;
          return true;
        }},
       {"--unhealthy-file", "FILE", "/healthz fails while this file exists", [&](std::string_view text) {
          options.unhealthy_file = text;
          return true;
        }}});
  if (options.addresses.empty()) {
    std::fprintf(stderr, "%s: at least one --listen is needed (see --help)\n", argv[0]);
    return 2;
  }
  EventLoop loop;
  test::HttpServer server(loop, std::move(options));
  test::Signals signals(loop, {SIGTERM, SIGINT, SIGUSR1},
                        [&](int number) { number == SIGUSR1 ? server.toggle_health() : loop.stop(); });
  if (const Status started = server.start(); !started) {
    std::fprintf(stderr, "%s: %s\n", argv[0], started.error().message.c_str());
    return 1;
  }
  for (const Endpoint& address : server.addresses())
    std::printf("listening on %s\n", to_string(address).c_str());
  std::fflush(stdout);
  loop.run();
  return 0;
}
