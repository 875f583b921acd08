// Configs. Limits that would end a kept-alive connection during a run are out of the way for all three.
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

std::string gatehouse_config(const Setup& setup) {
  std::ostringstream text;
  text << "[workers]\ncount = 1\n\n[[listener]]\nname = \"bench\"\naddresses = [\"127.0.0.1:" << setup.port
       << "\"]\n";
  if (setup.uses_tls) {
    text << "certificates = [{ chain = \"" << setup.chain << "\", key = \"" << setup.key << "\" }]\n";
  }
  text << "\n[[route]]\npool = \"bench\"\n\n[[pool]]\nname = \"bench\"\nbackends = [\"127.0.0.1:"
       << setup.backend_port << "\"]\n";
  return text.str();
}

std::string haproxy_config(const Setup& setup) {
  std::ostringstream text;
  text << "global\n  nbthread 1\n  maxconn 4096\n"
       << "defaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n"
       << "  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n  timeout http-keep-alive 60s\n"
       << "frontend bench\n  bind 127.0.0.1:" << setup.port;
  if (setup.uses_tls) text << " ssl crt " << setup.folder << "/both.pem";
  text << "\n  default_backend bench\n"
       << "backend bench\n  server one 127.0.0.1:" << setup.backend_port << "\n";
  return text.str();
}

std::string nginx_config(const Setup& setup) {
  std::ostringstream text;
  text
      << "daemon off;\nworker_processes 1;\npid " << setup.folder << "/nginx.pid;\nerror_log stderr;\n"
      << "events { worker_connections 4096; }\nhttp {\n  access_log off;\n  keepalive_requests 1000000000;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text << "  " << kind << "_temp_path " << setup.folder << "/" << kind << ";\n";
  }
  text << "  upstream bench {\n    server 127.0.0.1:" << setup.backend_port
       << ";\n    keepalive 64;\n    keepalive_requests 1000000000;\n  }\n"
       << "  server {\n    listen 127.0.0.1:" << setup.port << (setup.uses_tls ? " ssl" : "") << ";\n";
  if (setup.uses_tls) {
    text << "    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_certificate " << setup.chain
         << ";\n    ssl_certificate_key " << setup.key << ";\n";
  }
  text << "    location / {\n      proxy_pass http://bench;\n      proxy_http_version 1.1;\n"
       << "      proxy_set_header Connection \"\";\n    }\n  }\n}\n";
  return text.str();
}

}  // namespace

std::string_view to_string(Proxy proxy) {
  switch (proxy) {
    case Proxy::kGatehouse:
      return "gatehouse-l7";
    case Proxy::kHaproxy:
      return "HAProxy";
    case Proxy::kNginx:
      return "NGINX";
    case Proxy::kHaproxyAgain:
      return "HAProxy again";
  }
  return "";
}

Result<lab::Arguments> prepare(Proxy proxy, const Setup& setup) {
  std::error_code error;
  std::filesystem::remove_all(setup.folder, error);
  std::filesystem::create_directories(setup.folder + "/state", error);
  if (error) return Error{setup.folder + ": " + error.message()};
  const std::string config = setup.folder + "/config";
  if (proxy == Proxy::kGatehouse) {
    if (const Status written = write(config, gatehouse_config(setup)); !written) return written.error();
    return lab::Arguments{GATEHOUSE_BINARY_DIR "/gatehouse-l7", "--config", config, "--state-dir",
                          setup.folder + "/state"};
  }
  if (proxy == Proxy::kNginx) {
    if (const Status written = write(config, nginx_config(setup)); !written) return written.error();
    return lab::Arguments{"nginx", "-p", setup.folder, "-e", "stderr", "-c", config};
  }
  if (const Status written = write(config, haproxy_config(setup)); !written) return written.error();
  if (setup.uses_tls) {
    const Status joined = write(setup.folder + "/both.pem", read(setup.chain) + read(setup.key));
    if (!joined) return joined.error();
  }
  return lab::Arguments{"haproxy", "-db", "-f", config};
}

}  // namespace gatehouse::perf
