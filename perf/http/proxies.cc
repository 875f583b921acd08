// From a proxy to the command that runs it.
#include "perf/http/proxies.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace gatehouse::perf {
namespace {

Status write(const std::string& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text;
  return stream.flush() ? Status() : Status(system_error(file));
}

std::string read(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// HAProxy takes certificate and key in one file.
Status write_files(Proxy proxy, const Setup& setup, const std::string& config) {
  switch (proxy) {
    case Proxy::kGatehouse:
    case Proxy::kGatehouseFull:
    case Proxy::kGatehouseDeciding:
      return write(config, gatehouse_config(setup, proxy));
    case Proxy::kNginx:
      return write(config, nginx_config(setup));
    case Proxy::kHaproxy:
      if (Status joined = write(setup.folder + "/both.pem", read(setup.chain) + read(setup.key)); !joined)
        return joined;
      return write(config, haproxy_config(setup));
    default:
      return {};
  }
}

}  // namespace

Result<lab::Arguments> prepare(Proxy proxy, const Setup& setup) {
  std::error_code error;
  std::filesystem::remove_all(setup.folder, error);
  std::filesystem::create_directories(setup.folder + "/state", error);
  if (error) return Error{setup.folder + ": " + error.message()};
  const std::string config = setup.folder + "/config";
  if (const Status written = write_files(proxy, setup, config); !written) return written.error();
  switch (proxy) {
    case Proxy::kHaproxy:
      return lab::Arguments{"haproxy", "-db", "-f", config};
    case Proxy::kNginx:
      return lab::Arguments{"nginx", "-p", setup.folder, "-e", "stderr", "-c", config};
    case Proxy::kFloor:
      return lab::Arguments{GATEHOUSE_BINARY_DIR "/gatehouse-perf-relay", std::to_string(setup.port),
                            std::to_string(setup.backend_port)};
    default:
      return lab::Arguments{GATEHOUSE_BINARY_DIR "/gatehouse-l7", "--config", config, "--state-dir",
                            setup.folder + "/state"};
  }
}

}  // namespace gatehouse::perf
