#include "tests/support/authority.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "common/check.h"

namespace gatehouse::test {
namespace {

constexpr long kDaySeconds = 24L * 3600;

template <typename Write>
std::string written(Write write) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  GH_CHECK(write(bio.get()) > 0);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* certificate) {
  return written([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

X509Ptr new_certificate(const std::string& name, EVP_PKEY* key, std::uint64_t serial, int days) {
  X509Ptr certificate(X509_new());
  GH_CHECK(X509_set_version(certificate.get(), 2) == 1);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -400 * kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDaySeconds + 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  GH_CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  GH_CHECK(extension && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

}  // namespace

Authority::Authority(const std::string& name)
    : key_(EVP_EC_gen("P-256")), certificate_(new_certificate(name, key_.get(), 1, 365)) {
  X509_set_issuer_name(certificate_.get(), X509_get_subject_name(certificate_.get()));
  add_extension(certificate_.get(), certificate_.get(), NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate_.get(), certificate_.get(), NID_key_usage,
                "critical,keyCertSign,cRLSign,digitalSignature");
  add_extension(certificate_.get(), certificate_.get(), NID_subject_key_identifier, "hash");
  GH_CHECK(X509_sign(certificate_.get(), key_.get(), EVP_sha256()) > 0);
  pem_ = pem_of(certificate_.get());
}

Issued Authority::issue(const Wanted& wanted) {
  const PrivateKeyPtr key(wanted.key_type == "RSA" ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"));
  Issued issued;
  issued.serial = next_serial_++;
  X509Ptr certificate = new_certificate(wanted.common_name, key.get(), issued.serial, wanted.days);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate_.get()));
  add_extension(certificate.get(), certificate_.get(), NID_authority_key_identifier, "keyid");
  if (!wanted.alternatives.empty())
    add_extension(certificate.get(), certificate_.get(), NID_subject_alt_name, wanted.alternatives);
  GH_CHECK(X509_sign(certificate.get(), key_.get(), EVP_sha256()) > 0);
  issued.chain = pem_of(certificate.get()) + pem_;
  issued.key = written([&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
  issued.x509.reset(certificate.release(), X509_free);
  return issued;
}

std::string Authority::revocation_list(const std::set<std::uint64_t>& serials, int days) const {
  const X509CrlPtr list(X509_CRL_new());
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(certificate_.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, -3600);
  X509_CRL_set1_lastUpdate(list.get(), time);
  for (const std::uint64_t serial : serials) {
    X509_REVOKED* revoked = X509_REVOKED_new();
    ASN1_INTEGER* number = ASN1_INTEGER_new();
    ASN1_INTEGER_set_uint64(number, serial);
    X509_REVOKED_set_serialNumber(revoked, number);
    X509_REVOKED_set_revocationDate(revoked, time);
    X509_CRL_add0_revoked(list.get(), revoked);
    ASN1_INTEGER_free(number);
  }
  X509_gmtime_adj(time, days * kDaySeconds);
  X509_CRL_set1_nextUpdate(list.get(), time);
  ASN1_TIME_free(time);
  GH_CHECK(X509_CRL_sign(list.get(), key_.get(), EVP_sha256()) > 0);
  return written([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, list.get()); });
}

std::string Authority::ocsp_response(const Issued& about, int days) const {
  OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
  OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), about.certificate(), certificate_.get());
  ASN1_TIME* from = X509_gmtime_adj(nullptr, -30 * kDaySeconds);
  ASN1_TIME* to = X509_gmtime_adj(nullptr, days * kDaySeconds);
  OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, nullptr, from, to);
  GH_CHECK(OCSP_basic_sign(basic, certificate_.get(), key_.get(), EVP_sha256(), nullptr, 0) == 1);
  OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &der);
  GH_CHECK(size > 0);
  const std::string text(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(response);
  return text;
}

std::string traditional_key(const std::string& pem) {
  const BioPtr bio = bio_over(pem);
  const PrivateKeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  return written([&](BIO* out) {
    return PEM_write_bio_PrivateKey_traditional(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

}  // namespace gatehouse::test
