// Configs. Limits that would end a kept-alive connection during a run are out of the way for all three.
#include <sstream>

#include "perf/http/proxies.h"

namespace gatehouse::perf {
namespace {

constexpr int kRoutes = 1'000;
constexpr int kMostConnections = 9'000;

// A hundred hosts of ten parts each; the host that is asked for has ten, too, and none takes the path.
void write_routes(std::ostream& text) {
  for (int i = 0; i + 1 < kRoutes; ++i) {
    const int host = i / 10;
    text << "\n[[route]]\nname = \"r" << i << "\"\nhosts = [\""
         << (host == 0 ? "bench.example" : "h" + std::to_string(host) + ".example")
         << "\"]\npath_prefix = \"/part" << i % 10 << "\"\npool = \"bench\"\n";
  }
}

void write_stream(std::ostream& text, const Setup& setup) {
  text << "stream {\n  server {\n    listen 127.0.0.1:" << setup.port
       << ";\n    proxy_pass 127.0.0.1:" << setup.backend_port << ";\n  }\n}\n";
}

}  // namespace

std::string gatehouse_config(const Setup& setup, Proxy proxy) {
  const bool is_full = proxy == Proxy::kGatehouseFull, decides = proxy == Proxy::kGatehouseDeciding;
  std::ostringstream text;
  text << "[workers]\ncount = " << setup.workers
       << "\n\n[[listener]]\nname = \"bench\"\naddresses = [\"127.0.0.1:" << setup.port << "\"]\n";
  if (setup.is_tcp) text << "mode = \"tcp\"\npool = \"bench\"\n";
  if (setup.uses_tls) {
    text << "certificates = [{ chain = \"" << setup.chain << "\", key = \"" << setup.key << "\" }]\n";
  }
  if (!setup.is_tcp) text << "\n[[route]]\npool = \"bench\"\n";
  if (is_full || decides) write_routes(text);
  text << "\n[[pool]]\nname = \"bench\"\nmax_idle = " << setup.in_flight
       << "\nbackends = [\"127.0.0.1:" << setup.backend_port << "\"";
  if (decides) {
    for (const std::string& backend : setup.backends) text << ", \"" << backend << "\"";
  }
  text << "]\n";
  if (decides) {
    text << "policy = \"least-request\"\nretry = { attempts = 3 }\nejection = { failures = 5, deviations = 3 "
            "}\n"
         << "limits = { max_requests = 10000, max_backend_requests = 5000 }\n";
  }
  if (is_full)
    text << "health = { path = \"/healthz\" }\n\n[access_log]\nfile = \"" << setup.folder
         << "/access.log\"\n";
  return text.str();
}

std::string haproxy_config(const Setup& setup) {
  std::ostringstream text;
  text << "global\n  nbthread 1\n  maxconn "
       << kMostConnections
       // Else it stops reusing connections to the backend when a quarter of its descriptors is in use.
       << "\n  tune.pool-low-fd-ratio 90\n  tune.pool-high-fd-ratio 95\ndefaults\n"
       << "  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\n";
  if (setup.is_tcp) {
    text << "  mode tcp\n";
  } else {
    text << "  mode http\n  option http-keep-alive\n  http-reuse always\n  timeout http-keep-alive 60s\n";
  }
  text << "frontend bench\n  bind 127.0.0.1:" << setup.port;
  if (setup.uses_tls) text << " ssl crt " << setup.folder << "/both.pem";
  if (setup.is_h2) text << " alpn h2,http/1.1";
  text << "\n  default_backend bench\n"
       << "backend bench\n  server one 127.0.0.1:" << setup.backend_port << "\n";
  return text.str();
}

std::string nginx_config(const Setup& setup) {
  std::ostringstream text;
  if (setup.is_tcp) text << "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n";
  text << "daemon off;\nworker_processes 1;\npid " << setup.folder << "/nginx.pid;\nerror_log stderr;\n"
       << "events { worker_connections " << 2 * kMostConnections << "; }\n";
  if (setup.is_tcp) {
    write_stream(text, setup);
    return text.str();
  }
  text << "http {\n  access_log off;\n  keepalive_requests 1000000000;\n";
  for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
    text << "  " << kind << "_temp_path " << setup.folder << "/" << kind << ";\n";
  }
  text << "  upstream bench {\n    server 127.0.0.1:" << setup.backend_port << ";\n    keepalive "
       << setup.in_flight
       << ";\n    keepalive_requests 1000000000;\n  }\n  server {\n    listen 127.0.0.1:" << setup.port
       << (setup.uses_tls ? " ssl" : "") << (setup.is_h2 ? " http2" : "") << " backlog=4096;\n";
  if (setup.uses_tls) {
    text << "    ssl_protocols TLSv1.2 TLSv1.3;\n    ssl_certificate " << setup.chain
         << ";\n    ssl_certificate_key " << setup.key << ";\n";
  }
  text << "    location / {\n      proxy_pass http://bench;\n      proxy_http_version 1.1;\n"
       << "      proxy_set_header Connection \"\";\n    }\n  }\n}\n";
  return text.str();
}

}  // namespace gatehouse::perf
