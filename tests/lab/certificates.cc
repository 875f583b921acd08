#include "tests/lab/certificates.h"

#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "common/check.h"

namespace gatehouse::lab {

namespace {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;

constexpr long kLifetimeSeconds = 90L * 24 * 3600;

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  GH_CHECK(extension);
  GH_CHECK(X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

// A certificate with a random serial number, without issuer, extensions and signature.
Certificate new_certificate(const std::string& common_name, EVP_PKEY* key) {
  Certificate certificate(X509_new());
  GH_CHECK(certificate);
  std::uint64_t serial = 0;
  GH_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  GH_CHECK(X509_set_version(certificate.get(), 2) == 1);
  GH_CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial >> 1) == 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kLifetimeSeconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  GH_CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0) == 1);
  GH_CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

template <typename Writer>
Status write_pem(const std::string& file, int mode, Writer writer) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return system_error(file);
  FILE* stream = ::fdopen(fd, "w");
  GH_CHECK(stream);
  const bool is_written = writer(stream) == 1;
  if (::fclose(stream) != 0 || !is_written) return system_error(file);
  return {};
}

std::string alternative_names(const std::vector<std::string>& host_names,
                              const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const std::string& name : host_names) text += (text.empty() ? "DNS:" : ",DNS:") + name;
  for (const IpAddress& address : addresses) text += (text.empty() ? "IP:" : ",IP:") + to_string(address);
  return text;
}

}  // namespace

struct CertificateAuthority::Impl {
  Key key;
  Certificate certificate;
};

CertificateAuthority::CertificateAuthority(const std::string& common_name) : impl_(std::make_unique<Impl>()) {
  impl_->key.reset(EVP_EC_gen("P-256"));
  GH_CHECK(impl_->key);
  impl_->certificate = new_certificate(common_name, impl_->key.get());
  X509* certificate = impl_->certificate.get();
  GH_CHECK(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1);
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
  GH_CHECK(X509_sign(certificate, impl_->key.get(), EVP_sha256()) > 0);
}

CertificateAuthority::~CertificateAuthority() = default;

Status CertificateAuthority::write_certificate(const std::string& file) const {
  return write_pem(file, 0644,
                   [&](FILE* stream) { return PEM_write_X509(stream, impl_->certificate.get()); });
}

Status CertificateAuthority::issue(const std::string& common_name, const std::vector<std::string>& host_names,
                                   const std::vector<IpAddress>& addresses,
                                   const CertificateFiles& files) const {
  Key key(EVP_EC_gen("P-256"));
  GH_CHECK(key);
  Certificate certificate = new_certificate(common_name, key.get());
  X509* issuer = impl_->certificate.get();
  GH_CHECK(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer)) == 1);
  add_extension(certificate.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer, NID_ext_key_usage, "serverAuth,clientAuth");
  add_extension(certificate.get(), issuer, NID_authority_key_identifier, "keyid");
  add_extension(certificate.get(), issuer, NID_subject_alt_name, alternative_names(host_names, addresses));
  GH_CHECK(X509_sign(certificate.get(), impl_->key.get(), EVP_sha256()) > 0);
  if (Status status = write_pem(files.chain, 0644,
                                [&](FILE* stream) { return PEM_write_X509(stream, certificate.get()); });
      !status) {
    return status;
  }
  return write_pem(files.key, 0600, [&](FILE* stream) {
    return PEM_write_PrivateKey(stream, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace gatehouse::lab
