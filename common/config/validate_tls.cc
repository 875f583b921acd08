// Rules about TLS of listeners and towards backends. What is in the files is check_certificates.cc's.
#include "common/config/validator.h"
#include "common/openssl_ptr.h"
#include "common/tls_policy.h"

namespace gatehouse::config {
namespace {

class TlsValidator : Validator {
 public:
  using Validator::Validator;

  void run() {
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) check_listener(i, config_.listeners[i]);
    for (std::size_t i = 0; i < config_.pools.size(); ++i) check_pool(i, config_.pools[i]);
    for (std::size_t i = 0; i < config_.routes.size(); ++i)
      check_hsts(at("route", i, "hsts"), "[[route]]", config_.routes[i].hsts);
  }

 private:
  void check_listener(std::size_t index, const Listener& listener) {
    check_policy(at("listener", index, "tls"), listener.tls);
    check_client_certificates(index, listener);
    check_hsts(at("listener", index, "hsts"), "[[listener]]", listener.hsts);
    if (!listener.hsts.empty() && listener.certificates.empty()) {
      warn(at("listener", index, "hsts"),
           "[[listener]] hsts is sent over TLS only, and " + quoted(listener.name) + " has no certificates");
    }
  }
  void check_policy(const std::string& where, const TlsPolicy& policy) {
    if (policy == TlsPolicy()) return;
    const SslContextPtr scratch(SSL_CTX_new(TLS_server_method()));
    if (const Status applied = apply_tls_policy(scratch.get(), policy); !applied)
      error(where, "[[listener]].tls " + applied.error().message);
  }
  void check_client_certificates(std::size_t index, const Listener& listener) {
    const std::string& mode = listener.client_certificates;
    const std::string where = at("listener", index, "client_certificates");
    if (mode != "none" && mode != "request" && mode != "require") {
      return error(where,
                   "[[listener]] client_certificates: expected \"none\", \"request\" or \"require\", found " +
                       quoted(mode));
    }
    if (mode == "none") {
      const bool has_files = !listener.client_ca.empty() || !listener.client_crl.empty();
      if (has_files)
        warn(where,
             "[[listener]] client_ca and client_crl have no effect while client_certificates is \"none\"");
      return;
    }
    if (listener.client_ca.empty())
      error(where, "[[listener]] client_certificates: expected client_ca too, the authorities of clients");
    if (listener.certificates.empty())
      error(where,
            "[[listener]] client_certificates: expected certificates too: clients show theirs in TLS only");
  }
  // RFC 6797 §6.1
  void check_hsts(const std::string& where, const std::string& section, const std::string& value) {
    if (value.empty()) return;
    const bool is_printable =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < 0x7f; });
    if (!is_printable || value.find("max-age=") == std::string::npos) {
      error(where, section +
                       " hsts: expected a value such as \"max-age=31536000; includeSubDomains\", found " +
                       quoted(value));
    }
  }

  void check_pool(std::size_t index, const Pool& pool) {
    const BackendTls& tls = pool.tls;
    const std::string where = at("pool", index, "tls");
    const bool has_options = !tls.ca.empty() || !tls.server_name.empty() || !tls.sni.empty() ||
                             !tls.alpn.empty() || !tls.certificate.empty();
    if (!tls.enabled && has_options) warn(where, "[[pool]].tls has no effect: enabled is false");
    if (tls.certificate.empty() != tls.key.empty())
      error(where, "[[pool]].tls: expected certificate and key together");
    if (tls_version_number(tls.min_version) == 0) {
      error(where, "[[pool]].tls min_version: expected \"1.2\" or \"1.3\", found " + quoted(tls.min_version));
    }
    const bool has_bad_protocol = std::any_of(
        tls.alpn.begin(), tls.alpn.end(), [](const auto& name) { return name.empty() || name.size() > 255; });
    if (has_bad_protocol) error(where, "[[pool]].tls alpn: expected protocols such as \"http/1.1\"");
    if (tls.enabled && !tls.verify) {
      warn(where, "[[pool]].tls verify is false: whoever is between here and " + quoted(pool.name) +
                      " can read and change requests");
    }
  }
};

}  // namespace

void validate_tls(const Config& config, Findings& findings) { TlsValidator(config, findings).run(); }

}  // namespace gatehouse::config
