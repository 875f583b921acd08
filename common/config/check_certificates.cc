#include "common/config/check_certificates.h"

#include <openssl/pem.h>

#include "common/certificate.h"
#include "common/config/findings.h"
#include "common/config/validator.h"
#include "common/files.h"
#include "common/ocsp.h"

namespace gatehouse::config {
namespace {

constexpr std::int64_t kFewDays = 14;
constexpr std::size_t kLeastSecret = 32;

class CertificateChecker : Validator {
 public:
  CertificateChecker(const Config& config, Findings& findings) : Validator(config, findings) {}

  void run() {
    for (std::size_t i = 0; i < config_.listeners.size(); ++i) check_listener(i);
    for (std::size_t i = 0; i < config_.pools.size(); ++i) {
      const BackendTls& tls = config_.pools[i].tls;
      if (!tls.enabled) continue;
      const std::string where = at("pool", i, "tls");
      check_authorities(where, "[[pool]].tls ca: ", tls.ca);
      if (!tls.certificate.empty()) check_pair(where, "[[pool]].tls: ", tls.certificate, tls.key);
    }
    if (config_.tls.ticket_secret_file.empty()) return;
    const auto secret = read_file(config_.tls.ticket_secret_file);
    if (!secret) return warn("tls.ticket_secret_file", "[tls] ticket_secret_file: " + secret.error().message);
    if (secret->size() < kLeastSecret)
      warn("tls.ticket_secret_file",
           "[tls] ticket_secret_file: expected 32 bytes or more, found " + std::to_string(secret->size()));
  }

 private:
  void check_listener(std::size_t index) {
    const Listener& listener = config_.listeners[index];
    for (std::size_t j = 0; j < listener.certificates.size(); ++j) {
      const Certificate& certificate = listener.certificates[j];
      const std::string where = at("listener", index, "certificates") + "[" + std::to_string(j) + "]";
      const std::string label = "[[listener]] " + quoted(listener.name) + ": ";
      const auto chain = check_pair(where, label, certificate.chain, certificate.key);
      if (!chain) continue;
      check_names(where, label + certificate.chain, *chain);
      if (!certificate.ocsp.empty()) check_ocsp(where, label + certificate.ocsp, certificate.ocsp, *chain);
    }
    if (listener.client_certificates == "none") return;
    check_authorities(at("listener", index, "client_ca"), "[[listener]] client_ca: ", listener.client_ca);
    check_revocations(at("listener", index, "client_crl"), listener.client_crl);
  }

  std::optional<CertificateChain> check_pair(const std::string& where, const std::string& label,
                                             const std::string& chain_file, const std::string& key_file) {
    const auto chain_text = read_file(chain_file), key_text = read_file(key_file);
    for (const auto* text : {&chain_text, &key_text}) {
      if (!*text) return warn(where, label + text->error().message), std::nullopt;
    }
    auto chain = read_chain(*chain_text);
    if (!chain) return warn(where, label + chain_file + ": " + chain.error().message), std::nullopt;
    const auto key = keys_.read(*key_text);
    const Status fits = key ? check_key_of(*chain, key->get()) : Status(key.error());
    if (!fits) return warn(where, label + key_file + ": " + fits.error().message), std::nullopt;
    const std::int64_t days = days_left(expiry_of(*chain));
    if (days < kFewDays) {
      warn(where, label + chain_file +
                      (days < 0 ? " has expired"
                                : " expires in " + std::to_string(days) + (days == 1 ? " day" : " days")));
    }
    return std::move(*chain);
  }

  // Routes of any host make every certificate one that may be wanted.
  void check_names(const std::string& where, const std::string& label, const CertificateChain& chain) {
    const std::vector<std::string> names = gatehouse::names_of(chain.leaf.get());
    const auto is_wanted = [&names](const Route& route) {
      return route.hosts.empty() || !route.host_regexes.empty() ||
             std::any_of(route.hosts.begin(), route.hosts.end(), [&names](const std::string& host) {
               return std::any_of(names.begin(), names.end(),
                                  [&](const std::string& name) { return do_meet(name, lower_case(host)); });
             });
    };
    if (!std::any_of(config_.routes.begin(), config_.routes.end(), is_wanted)) {
      warn(where, label + " has no name that is the host of a route");
    }
  }
  // Whether some host has both the certificate's name and the route's pattern.
  static bool do_meet(const std::string& name, const std::string& host) {
    return is_certificate_name_for(name, host) || (host.starts_with("*.") && name.ends_with(host.substr(1)));
  }

  void check_ocsp(const std::string& where, const std::string& label, const std::string& file,
                  const CertificateChain& chain) {
    const auto text = read_file(file);
    if (!text) return warn(where, label + ": " + text.error().message);
    const auto expiry = ocsp_expiry(*text, chain);
    if (!expiry) return warn(where, label + ": " + expiry.error().message);
    if (*expiry < std::chrono::system_clock::now()) warn(where, label + " has expired and is not stapled");
  }

  void check_authorities(const std::string& where, const std::string& label, const std::string& file) {
    if (file.empty()) return;
    const auto text = read_file(file);
    if (!text) return warn(where, label + text.error().message);
    const auto chain = read_chain(*text);
    if (!chain) return warn(where, label + file + ": " + chain.error().message);
    if (days_left(expiry_of(*chain)) < 0) warn(where, label + file + " has an authority that has expired");
  }

  void check_revocations(const std::string& where, const std::string& file) {
    if (file.empty()) return;
    const auto text = read_file(file);
    if (!text) return warn(where, "[[listener]] client_crl: " + text.error().message);
    const BioPtr bio = bio_over(*text);
    const X509CrlPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
    if (!list) return warn(where, "[[listener]] client_crl: " + file + ": " + take_openssl_error("not PEM"));
    if (X509_cmp_current_time(X509_CRL_get0_nextUpdate(list.get())) < 0) {
      warn(where, "[[listener]] client_crl: " + file + " has expired: clients of its authority are refused");
    }
  }

  PrivateKeyReader keys_;
};

}  // namespace

std::vector<Finding> check_certificates(const Loaded& loaded) {
  Findings findings(loaded.config.file);
  for (const auto& [path, line] : loaded.lines) findings.remember(path, line);
  CertificateChecker(loaded.config, findings).run();
  return findings.sorted();
}

}  // namespace gatehouse::config
